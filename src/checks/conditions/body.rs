//! Paths into a JSON body: `.data.items[0].id`, `[0].x`, `["a key.with a dot"].x` (the last form
//! is ours; the others are those of Gatus's `jsonpath`).

use serde_json::Value;

/// One step into a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

/// Reads what follows `[BODY]`.
pub(super) fn parse(path: &str) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(quoted) = rest.strip_prefix("[\"") {
            let (key, after) = quoted
                .split_once("\"]")
                .ok_or_else(|| format!("[BODY]{path}: the key is not closed with \"]"))?;
            steps.push(Step::Key(key.to_owned()));
            rest = after;
        } else if let Some(index) = rest.strip_prefix('[') {
            let (digits, after) =
                index.split_once(']').ok_or_else(|| format!("[BODY]{path}: a [ without its ]"))?;
            let index = digits.parse().map_err(|_| {
                format!("[BODY]{path}: {digits:?} is no index; write [0], [1], or [\"a key\"]")
            })?;
            steps.push(Step::Index(index));
            rest = after;
        } else if let Some(key) = rest.strip_prefix('.') {
            let end = key.find(['.', '[']).unwrap_or(key.len());
            if end == 0 && !key.starts_with('[') {
                return Err(format!("[BODY]{path}: a dot without a key after it"));
            }
            if end > 0 {
                steps.push(Step::Key(key[..end].to_owned()));
            }
            rest = &key[end..];
        } else {
            return Err(format!("[BODY]{path}: a path goes on with a dot or an index"));
        }
    }
    Ok(steps)
}

/// What is there; nothing for what is absent or null.
pub(super) fn walk<'v>(root: &'v Value, steps: &[Step]) -> Option<&'v Value> {
    let found = steps.iter().try_fold(root, |value, step| match step {
        Step::Key(key) => value.as_object()?.get(key),
        Step::Index(index) => value.as_array()?.get(*index),
    })?;
    (!found.is_null()).then_some(found)
}

/// A value as text: a string without its quotes, all else as compact JSON.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}

/// What `len` says: the elements of a list; else the bytes of the text.
pub(super) fn length(value: &Value) -> usize {
    match value {
        Value::Array(elements) => elements.len(),
        value => text(value).len(),
    }
}
