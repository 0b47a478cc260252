//! Templates that people write, in minijinja's form of Jinja.
//!
//! A template sees what a webhook gets (`status`, `alerts`, `commonLabels`, …; see
//! [`webhook_json`]) and besides `text` (our own wording), `external_url` and `channel`. Nothing
//! is escaped by itself: `{{ title | tojson }}` is for JSON.

use std::collections::BTreeMap;
use std::fmt;
use std::io;

use minijinja::{Environment, UndefinedBehavior};
use serde_json::Value;

use crate::notify::Outgoing;

use super::Message;
use super::alertmanager::webhook_json;

/// Instructions that one rendering may take: far more than any message needs, and over within
/// a second.
const FUEL: u64 = 2_000_000;
/// Bytes that a rendering may give.
pub const RENDERED_BYTES_MAX: usize = 256 << 10;
/// Bytes that a template may have.
pub const TEMPLATE_BYTES_MAX: usize = 64 << 10;
/// Under this name it is compiled; shown in errors.
const NAME: &str = "template";

/// A template that compiles.
pub struct Template {
    environment: Environment<'static>,
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Template")
    }
}

impl Template {
    /// Compiles a template and tries it on an example.
    ///
    /// # Errors
    ///
    /// What is wrong, and in which line.
    pub fn compile(source: &str) -> Result<Self, String> {
        if source.len() > TEMPLATE_BYTES_MAX {
            return Err(format!("is larger than {TEMPLATE_BYTES_MAX} bytes"));
        }
        let mut environment = Environment::new();
        environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        // What is not there reads as nothing, at any depth: labels differ from alert to alert.
        environment.set_undefined_behavior(UndefinedBehavior::Chainable);
        environment.set_fuel(Some(FUEL));
        environment
            .add_template_owned(NAME, source.to_owned())
            .map_err(|error| described(&error))?;
        Ok(Template { environment })
    }

    /// Renders a notification.
    ///
    /// # Errors
    ///
    /// What failed and in which line, or that the result is too large.
    pub fn render(&self, outgoing: &Outgoing) -> Result<String, String> {
        self.render_with(&context(outgoing))
    }

    /// Renders with values at hand.
    ///
    /// # Errors
    ///
    /// As [`Template::render`].
    pub fn render_with(&self, context: &Value) -> Result<String, String> {
        let template = self.environment.get_template(NAME).map_err(|error| described(&error))?;
        let mut out = Bounded(Vec::new());
        template.render_captured_to(value_of(context), &mut out).map_err(|error| {
            if out_of_room(&error) {
                return format!("the result is larger than {RENDERED_BYTES_MAX} bytes");
            }
            described(&error)
        })?;
        String::from_utf8(out.0).map_err(|_| "gives something else than text".to_owned())
    }
}

/// JSON as the templates' own type.
fn value_of(json: &Value) -> minijinja::Value {
    match json {
        Value::Null => ().into(),
        Value::Bool(truth) => (*truth).into(),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(whole), _) => whole.into(),
            (None, Some(whole)) => whole.into(),
            (None, None) => number.as_f64().unwrap_or(f64::NAN).into(),
        },
        Value::String(text) => text.as_str().into(),
        Value::Array(items) => items.iter().map(value_of).collect::<Vec<_>>().into(),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, field)| (name.clone(), value_of(field)));
            fields.collect::<BTreeMap<String, minijinja::Value>>().into()
        }
    }
}

/// What templates see.
pub fn context(outgoing: &Outgoing) -> Value {
    let message = Message::of(outgoing);
    let mut context = webhook_json(outgoing);
    context["text"] = message.paragraphs().join("\n").into();
    context["channel"] = outgoing.channel.as_str().into();
    context["external_url"] = outgoing.notification.external_url.as_str().into();
    context["link"] = message.best_link().into();
    context
}

fn described(error: &minijinja::Error) -> String {
    let line = error.line().map(|line| format!("line {line}: ")).unwrap_or_default();
    let detail = error.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
    format!("{line}{}{detail}", error.kind())
}

fn out_of_room(error: &minijinja::Error) -> bool {
    let source = std::error::Error::source(error).and_then(|e| e.downcast_ref::<io::Error>());
    source.is_some_and(|error| error.kind() == io::ErrorKind::FileTooLarge)
}

/// A buffer with an end.
struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > RENDERED_BYTES_MAX {
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
