//! Runs a template, within bounds.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Context;
use super::ast::{Block, Failure, Item, Operand, Pipe};
use super::functions;
use super::value::Value;

/// What one template may write.
const OUTPUT_BYTES_MAX: usize = 1 << 20;
/// Items and commands that one expansion may run.
const STEPS_MAX: usize = 1_000_000;
/// Blocks and templates inside each other while a template runs: each takes stack.
const DEPTH_MAX: usize = 150;

/// How a block ended.
#[derive(PartialEq)]
enum Flow {
    On,
    Break,
    Continue,
}

struct Run<'a> {
    defined: &'a BTreeMap<String, Block>,
    context: &'a Context<'a>,
    variables: Vec<(String, Value)>,
    out: String,
    steps: usize,
    depth: usize,
}

pub(super) fn run(
    main: &Block,
    defined: &BTreeMap<String, Block>,
    context: &Context<'_>,
) -> Result<String, Failure> {
    let labels = Value::Labels(Arc::new(context.labels.clone()));
    let external = Value::Labels(Arc::new(context.external_labels.clone()));
    let url = Value::Text(context.external_url.to_owned());
    let dot = Value::Map(Arc::new(BTreeMap::from([
        ("Labels".to_owned(), labels.clone()),
        ("ExternalLabels".to_owned(), external.clone()),
        ("ExternalURL".to_owned(), url.clone()),
        ("Value".to_owned(), context.value.clone()),
    ])));
    let variables = [
        ("$", dot.clone()),
        ("$labels", labels),
        ("$externalLabels", external),
        ("$externalURL", url),
        ("$value", context.value.clone()),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value)).to_vec();
    let mut run = Run { defined, context, variables, out: String::new(), steps: 0, depth: 0 };
    run.block(main, &dot)?;
    Ok(run.out)
}

impl Run<'_> {
    fn step(&mut self, line: usize) -> Result<(), Failure> {
        self.steps += 1;
        if self.steps > STEPS_MAX {
            return Err((line, format!("stopped after {STEPS_MAX} steps")));
        }
        if self.out.len() > OUTPUT_BYTES_MAX {
            return Err((line, format!("stopped after {OUTPUT_BYTES_MAX} bytes of output")));
        }
        Ok(())
    }

    fn block(&mut self, block: &Block, dot: &Value) -> Result<Flow, Failure> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err((1, format!("more than {DEPTH_MAX} blocks and templates call each other")));
        }
        let scope = self.variables.len();
        let mut flow = Flow::On;
        for item in block {
            flow = self.item(item, dot)?;
            if flow != Flow::On {
                break;
            }
        }
        self.variables.truncate(scope);
        self.depth -= 1;
        Ok(flow)
    }

    fn item(&mut self, item: &Item, dot: &Value) -> Result<Flow, Failure> {
        match item {
            Item::Text(text) => {
                self.step(1)?;
                self.out.push_str(text);
            }
            Item::Action { line, pipe } => {
                self.step(*line)?;
                let value = self.pipe(pipe, dot, *line)?;
                if pipe.variables.is_empty() {
                    self.out.push_str(&value.show());
                }
            }
            Item::If { line, pipe, then, otherwise } => {
                self.step(*line)?;
                let scope = self.variables.len();
                let holds = self.pipe(pipe, dot, *line)?.is_true();
                let flow = self.block(if holds { then } else { otherwise }, dot)?;
                self.variables.truncate(scope);
                return Ok(flow);
            }
            Item::With { line, pipe, then, otherwise } => {
                self.step(*line)?;
                let scope = self.variables.len();
                let value = self.pipe(pipe, dot, *line)?;
                let flow = match value.is_true() {
                    true => self.block(then, &value)?,
                    false => self.block(otherwise, dot)?,
                };
                self.variables.truncate(scope);
                return Ok(flow);
            }
            Item::Range { line, pipe, body, otherwise } => {
                return self.range(*line, pipe, body, otherwise, dot);
            }
            Item::Template { line, name, pipe } => self.call(*line, name, pipe.as_ref(), dot)?,
            Item::Break => return Ok(Flow::Break),
            Item::Continue => return Ok(Flow::Continue),
        }
        Ok(Flow::On)
    }

    fn call(
        &mut self,
        line: usize,
        name: &str,
        pipe: Option<&Pipe>,
        dot: &Value,
    ) -> Result<(), Failure> {
        self.step(line)?;
        let given = match pipe {
            Some(pipe) => self.pipe(pipe, dot, line)?,
            None => Value::Nil,
        };
        let defined = self.defined;
        let Some(body) = defined.get(name) else {
            return Err((line, format!("template {name:?} not defined")));
        };
        let outer = std::mem::replace(&mut self.variables, vec![("$".to_owned(), given.clone())]);
        self.block(body, &given)?;
        self.variables = outer;
        Ok(())
    }

    fn range(
        &mut self,
        line: usize,
        pipe: &Pipe,
        body: &Block,
        otherwise: &Block,
        dot: &Value,
    ) -> Result<Flow, Failure> {
        let scope = self.variables.len();
        let over = self.commands(pipe, dot, line)?;
        let items: Vec<(Value, Value)> = match &over {
            Value::List(list) => (0..).map(Value::Int).zip(list.iter().cloned()).collect(),
            Value::Map(map) => {
                map.iter().map(|(k, v)| (Value::Text(k.clone()), v.clone())).collect()
            }
            Value::Labels(labels) => labels
                .iter()
                .map(|(k, v)| (Value::Text(k.to_owned()), Value::Text(v.to_owned())))
                .collect(),
            Value::Int(count) => {
                let count = (*count).clamp(0, STEPS_MAX as i64);
                (0..count).map(|n| (Value::Int(n), Value::Int(n))).collect()
            }
            Value::Nil => Vec::new(),
            other => {
                return Err((line, format!("range can't iterate over {}", other.show())));
            }
        };
        if items.is_empty() {
            let flow = self.block(otherwise, dot)?;
            self.variables.truncate(scope);
            return Ok(flow);
        }
        for (key, item) in items {
            self.step(line)?;
            match pipe.variables.as_slice() {
                [] => {}
                [one] => self.set(one, item.clone(), pipe.assigns),
                [first, second, ..] => {
                    self.set(first, key, pipe.assigns);
                    self.set(second, item.clone(), pipe.assigns);
                }
            }
            let flow = self.block(body, &item)?;
            self.variables.truncate(scope);
            if flow == Flow::Break {
                break;
            }
        }
        Ok(Flow::On)
    }

    fn set(&mut self, name: &str, value: Value, assigns: bool) {
        let known = self.variables.iter_mut().rev().find(|(known, _)| known == name);
        match known.filter(|_| assigns) {
            Some((_, place)) => *place = value,
            None => self.variables.push((name.to_owned(), value)),
        }
    }

    fn pipe(&mut self, pipe: &Pipe, dot: &Value, line: usize) -> Result<Value, Failure> {
        let value = self.commands(pipe, dot, line)?;
        for name in &pipe.variables {
            self.set(name, value.clone(), pipe.assigns);
        }
        Ok(value)
    }

    fn commands(&mut self, pipe: &Pipe, dot: &Value, line: usize) -> Result<Value, Failure> {
        let mut value = None;
        for command in &pipe.commands {
            self.step(line)?;
            value = Some(self.command(command, value, dot, line)?);
        }
        Ok(value.unwrap_or(Value::Nil))
    }

    fn command(
        &mut self,
        words: &[Operand],
        last: Option<Value>,
        dot: &Value,
        line: usize,
    ) -> Result<Value, Failure> {
        let Some((first, rest)) = words.split_first() else { return Ok(Value::Nil) };
        if let Operand::Function(name) = first {
            return self.function(name, rest, last, dot, line);
        }
        // The one method with an argument: `.Format "2006-01-02"` of a time.
        let method = match first {
            Operand::Field(path) => path.split_last().map(|(name, path)| (name, dot.clone(), path)),
            Operand::Variable(name, path) => {
                path.split_last().map(|(method, path)| (method, self.variable(name), path))
            }
            Operand::Pipe(pipe, path) => match path.split_last() {
                Some((name, path)) => Some((name, self.pipe(pipe, dot, line)?, path)),
                None => None,
            },
            _ => None,
        };
        if let Some((name, base, path)) = method
            && name == "Format"
            && let Value::Time(nanos) = walk(base, path).map_err(|message| (line, message))?
            && let [Operand::Text(layout)] = rest
        {
            let text = super::value::format_time(nanos, layout);
            return Ok(Value::Text(text.unwrap_or_default()));
        }
        if !rest.is_empty() || last.is_some() {
            return Err((line, "can't give argument to non-function".to_owned()));
        }
        self.operand(first, dot, line)
    }

    fn function(
        &mut self,
        name: &str,
        words: &[Operand],
        last: Option<Value>,
        dot: &Value,
        line: usize,
    ) -> Result<Value, Failure> {
        let mut args = Vec::with_capacity(words.len() + 1);
        for word in words {
            let value = self.operand(word, dot, line)?;
            // `and` and `or` stop at the first that decides.
            let decides = match name {
                "and" => !value.is_true(),
                "or" => value.is_true(),
                _ => false,
            };
            if decides {
                return Ok(value);
            }
            args.push(value);
        }
        args.extend(last);
        functions::call(name, &args, self.context)
            .map_err(|message| (line, format!("error calling {name}: {message}")))
    }

    fn variable(&self, name: &str) -> Value {
        let found = self.variables.iter().rev().find(|(known, _)| known == name);
        found.map_or(Value::Nil, |(_, value)| value.clone())
    }

    fn operand(&mut self, operand: &Operand, dot: &Value, line: usize) -> Result<Value, Failure> {
        let walked = |value, path: &[String]| walk(value, path).map_err(|message| (line, message));
        match operand {
            Operand::Dot => Ok(dot.clone()),
            Operand::Nil => Ok(Value::Nil),
            Operand::Bool(value) => Ok(Value::Bool(*value)),
            Operand::Int(value) => Ok(Value::Int(*value)),
            Operand::Float(value) => Ok(Value::Float(*value)),
            Operand::Text(text) => Ok(Value::Text(text.clone())),
            Operand::Field(path) => walked(dot.clone(), path),
            Operand::Variable(name, path) => walked(self.variable(name), path),
            Operand::Function(name) => self.function(name, &[], None, dot, line),
            Operand::Pipe(pipe, path) => {
                let value = self.pipe(pipe, dot, line)?;
                walked(value, path)
            }
        }
    }
}

fn walk(value: Value, path: &[String]) -> Result<Value, String> {
    path.iter().try_fold(value, |value, name| value.field(name))
}
