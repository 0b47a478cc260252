//! The templates of alerting rules: the part of Go's `text/template` that rules use, with
//! Prometheus's functions (`template/template.go`).
//!
//! Owns: lexer, parser, values, functions. Never: fetching anything; the function `query` asks
//! whoever expands. Start reading at [`Template::parse`] and [`Template::expand`].

mod ast;
mod compare;
mod exec;
mod floats;
mod functions;
mod lexer;
mod parser;
mod printf;
#[cfg(test)]
mod tests;
mod text_functions;
mod value;

use std::collections::BTreeMap;

use crate::model::{Labels, Timestamp};

use ast::Block;
pub use value::{TemplateSample, Value};

/// Why a template cannot be used. Shown as Go shows it: `template: name:1: …`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("template: {name}:{line}: {message}")]
pub struct TemplateError {
    /// The template's name.
    pub name: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
}

/// The path and query of a page that shows an expression as a table (`TableLinkForExpression` in
/// Prometheus's `util/strutil/strconv.go`).
pub fn table_link(expression: &str) -> String {
    text_functions::table_link(expression)
}

/// The most bytes that a template may have.
const TEMPLATE_BYTES_MAX: usize = 256 << 10;

/// A template that is known to be well-formed.
#[derive(Clone, Debug)]
pub struct Template {
    name: String,
    main: Block,
    defined: BTreeMap<String, Block>,
}

/// Asks a query at the time of the expansion: the function `query` of templates.
pub type AskQuery<'a> = &'a dyn Fn(&str) -> Result<Vec<TemplateSample>, String>;

/// What a template is expanded with.
pub struct Context<'a> {
    /// `$labels`: of the sample that made the alert.
    pub labels: &'a Labels,
    /// `$externalLabels`
    pub external_labels: &'a Labels,
    /// `$externalURL`
    pub external_url: &'a str,
    /// `$value`
    pub value: Value,
    /// The time of the evaluation, for `now`.
    pub at: Timestamp,
    /// Answers `query`.
    pub query: AskQuery<'a>,
}

impl Template {
    /// Reads a template. `name` is what errors call it.
    ///
    /// # Errors
    ///
    /// Syntax that is not understood, variables and functions that do not exist.
    pub fn parse(name: &str, text: &str) -> Result<Template, TemplateError> {
        let fail = |(line, message)| TemplateError { name: name.to_owned(), line, message };
        if text.len() > TEMPLATE_BYTES_MAX {
            let message = format!("longer than {TEMPLATE_BYTES_MAX} bytes");
            return Err(fail((1, message)));
        }
        let (main, defined) = parser::parse(text).map_err(fail)?;
        Ok(Template { name: name.to_owned(), main, defined })
    }

    /// Expands the template.
    ///
    /// # Errors
    ///
    /// What fails while it runs: wrong types, failing functions and queries, too much output.
    pub fn expand(&self, context: &Context<'_>) -> Result<String, TemplateError> {
        exec::run(&self.main, &self.defined, context).map_err(|(line, message)| TemplateError {
            name: self.name.clone(),
            line,
            message,
        })
    }
}
