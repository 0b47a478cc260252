//! Environment variables over the file: `VEDETTE_QUERY_TIMEOUT` is `query.timeout`.

use toml::{Table, Value};

use super::Settings;
use super::place::nearest;

/// Every variable of ours begins so.
pub(super) const PREFIX: &str = "VEDETTE_";

/// Variables that the command line reads itself.
const NOT_SETTINGS: [&str; 3] = ["VEDETTE_CONFIG", "VEDETTE_URL", "VEDETTE_TOKEN"];

/// One setting, as its path from the root.
pub(super) type KeyPath = Vec<String>;

/// Every key that may be set, with its default: what the default settings serialise to.
pub(super) fn known_keys() -> Vec<(KeyPath, Value)> {
    let defaults = Table::try_from(Settings::default()).unwrap_or_default();
    let mut keys = Vec::new();
    collect_keys(&defaults, &mut Vec::new(), &mut keys);
    keys
}

fn collect_keys(table: &Table, path: &mut KeyPath, keys: &mut Vec<(KeyPath, Value)>) {
    for (name, value) in table {
        path.push(name.clone());
        match value {
            Value::Table(inner) => collect_keys(inner, path, keys),
            value => keys.push((path.clone(), value.clone())),
        }
        path.pop();
    }
}

/// The variable that overrides a key.
pub(super) fn variable_of(path: &[String]) -> String {
    format!("{PREFIX}{}", path.join("_").to_uppercase())
}

/// What one variable means: the key it sets and its value, or why it is refused. `None` where
/// it is not a setting: Kubernetes gives every container `VEDETTE_SERVICE_HOST` and the like
/// when a service is called vedette, so only names that begin with a section are held to be ours.
pub(super) fn read_variable(
    keys: &[(KeyPath, Value)],
    name: &str,
    text: &str,
) -> Option<Result<(KeyPath, Value), String>> {
    let rest = name.strip_prefix(PREFIX)?;
    if NOT_SETTINGS.contains(&name) {
        return None;
    }
    if let Some((path, default)) = keys.iter().find(|(path, _)| variable_of(path) == name) {
        return Some(value_of(text, default).map(|value| (path.clone(), value)));
    }
    let ours = keys.iter().any(|(path, _)| {
        rest.strip_prefix(&path[0].to_uppercase()).is_some_and(|rest| rest.starts_with('_'))
    });
    if !ours {
        return None;
    }
    let variables: Vec<String> = keys.iter().map(|(path, _)| variable_of(path)).collect();
    let mend = match nearest(name, variables.iter().map(String::as_str)) {
        Some(meant) => format!("did you mean {meant}?"),
        None => "unset it, or see config.toml.example for every key".to_owned(),
    };
    Some(Err(format!("no such setting; {mend}")))
}

/// Reads a variable's text as the type that the key's default has.
fn value_of(text: &str, default: &Value) -> Result<Value, String> {
    match default {
        Value::Boolean(_) => match text {
            "true" | "1" => Ok(Value::Boolean(true)),
            "false" | "0" => Ok(Value::Boolean(false)),
            _ => Err(format!("{text:?} is neither true nor false")),
        },
        Value::Integer(_) => {
            Ok(text.parse().map_or_else(|_| Value::String(text.to_owned()), Value::Integer))
        }
        Value::Array(_) if text.trim_start().starts_with('[') => {
            let document: Table =
                format!("value = {text}").parse().map_err(|error: toml::de::Error| {
                    format!("not a TOML array: {}", error.message())
                })?;
            document.get("value").cloned().ok_or_else(|| "not a TOML array".to_owned())
        }
        Value::Array(_) => Ok(Value::Array(
            text.split(',')
                .map(str::trim)
                .filter(|part| !part.is_empty())
                .map(|part| Value::String(part.to_owned()))
                .collect(),
        )),
        _ => Ok(Value::String(text.to_owned())),
    }
}

/// Puts a value at a path, making the tables on the way.
pub(super) fn set(table: &mut Table, path: &[String], value: Value) {
    let Some((first, rest)) = path.split_first() else { return };
    if rest.is_empty() {
        table.insert(first.clone(), value);
        return;
    }
    let inner = table.entry(first.clone()).or_insert_with(|| Value::Table(Table::new()));
    if let Value::Table(inner) = inner {
        set(inner, rest, value);
    }
}

/// Keys whose values are never shown.
const SECRETS: [&str; 6] =
    ["hash", "password", "token", "bearer_token", "credentials", "client_secret"];

/// Replaces secrets, and passwords inside URLs, by `<secret>`, at any depth.
pub(super) fn hide_secrets(table: &mut Table) {
    for (name, value) in table.iter_mut() {
        // What checks and channels need varies by kind, and much of it is secret: addresses of
        // incoming webhooks are.
        if name == "settings" && value.is_table() {
            *value = Value::String("<secret>".to_owned());
        }
        hide_in(name, value);
    }
}

fn hide_in(name: &str, value: &mut Value) {
    match value {
        Value::Table(inner) => hide_secrets(inner),
        Value::Array(items) => items.iter_mut().for_each(|item| hide_in(name, item)),
        Value::String(text) if SECRETS.contains(&name) && !text.is_empty() => {
            "<secret>".clone_into(text);
        }
        Value::String(text) => {
            if let Some((scheme, rest)) = text.split_once("://")
                && let Some((account, host)) = rest.split_once('@')
                && !account.contains('/')
                && let Some((user, _)) = account.split_once(':')
            {
                *text = format!("{scheme}://{user}:<secret>@{host}");
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, text: &str) -> Option<Result<(KeyPath, Value), String>> {
        read_variable(&known_keys(), name, text)
    }

    #[test]
    fn every_key_has_a_variable_of_its_own() {
        let keys = known_keys();
        let mut variables: Vec<String> = keys.iter().map(|(path, _)| variable_of(path)).collect();
        assert!(variables.contains(&"VEDETTE_COLLECT_HOST_ENABLED".to_owned()));
        variables.sort();
        let all = variables.len();
        variables.dedup();
        assert_eq!(variables.len(), all, "two keys share a variable");
    }

    #[test]
    fn a_slip_in_a_variable_is_an_error_and_a_stranger_is_not() {
        let error = read("VEDETTE_QUERY_TIMOUT", "1").expect("ours").expect_err("unknown");
        assert!(error.contains("VEDETTE_QUERY_TIMEOUT"), "{error}");
        assert!(read("VEDETTE_SERVICE_HOST", "10.0.0.1").is_none());
        assert!(read("VEDETTE_CONFIG", "x").is_none());
        assert!(read("PATH", "x").is_none());
    }

    #[test]
    fn secrets_are_hidden_at_any_depth() {
        let mut table: Table = "a = 'http://me:pw@host/x'\n[[b]]\npassword = 'pw'\nuser = 'me'\n"
            .parse()
            .expect("valid");
        hide_secrets(&mut table);
        let shown = table.to_string();
        assert!(!shown.contains("pw"), "{shown}");
        assert!(shown.contains("me:<secret>@host/x"), "{shown}");
    }
}
