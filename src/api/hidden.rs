//! Secrets in definitions of checks: hidden in answers, and put back where a body has them as
//! they were shown.

use serde_json::{Map, Value};

/// What stands in the place of a secret.
const HIDDEN: &str = "<secret>";

/// Parts of field names whose texts are secrets.
const SECRET_WORDS: [&str; 8] =
    ["password", "secret", "token", "api_key", "apikey", "api-key", "authorization", "cookie"];

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    // `max_tokens` is a number of words.
    SECRET_WORDS.iter().any(|word| name.contains(word)) && !name.contains("tokens")
}

/// Hides the secrets of a check as answers show it.
pub(super) fn hide_all(check: &mut Map<String, Value>) {
    if let Some(Value::String(target)) = check.get_mut("target") {
        *target = hide_target(target);
    }
    if let Some(settings) = check.get_mut("settings") {
        hide(settings, false);
    }
}

fn hide(value: &mut Value, secret: bool) {
    match value {
        Value::String(text) if secret && !text.is_empty() => HIDDEN.clone_into(text),
        Value::Object(object) => {
            // A secret by file or environment is no secret itself.
            let by_place =
                object.len() == 1 && ["file", "env"].iter().any(|k| object.contains_key(*k));
            for (name, value) in object {
                hide(value, (secret && !by_place) || is_secret(name));
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|value| hide(value, secret)),
        _ => {}
    }
}

/// The place of the password in a URL or in `user:password@host`.
fn password_of(target: &str) -> Option<std::ops::Range<usize>> {
    let start = target.find("://").map_or(0, |at| at + 3);
    let end = target[start..].find(['/', '?', '#']).map_or(target.len(), |at| start + at);
    let at = start + target[start..end].rfind('@')?;
    let colon = start + target[start..at].find(':')?;
    (colon + 1 < at).then_some(colon + 1..at)
}

fn hide_target(target: &str) -> String {
    match password_of(target) {
        Some(place) => format!("{}{HIDDEN}{}", &target[..place.start], &target[place.end..]),
        None => target.to_owned(),
    }
}

/// The target with the password of `before`, where it has it as it is shown.
pub(super) fn restore_target(target: &str, before: &str) -> String {
    match (password_of(target), password_of(before)) {
        (Some(place), Some(known)) if &target[place.clone()] == HIDDEN => {
            format!("{}{}{}", &target[..place.start], &before[known], &target[place.end..])
        }
        _ => target.to_owned(),
    }
}

/// Puts the texts of `before` in the places where this has them as they are shown.
pub(super) fn restore(value: &mut Value, before: &Value) {
    match (value, before) {
        (Value::String(text), Value::String(known)) if text == HIDDEN => known.clone_into(text),
        (Value::Object(object), Value::Object(known)) => {
            for (name, value) in object {
                if let Some(known) = known.get(name) {
                    restore(value, known);
                }
            }
        }
        (Value::Array(list), Value::Array(known)) => {
            list.iter_mut().zip(known).for_each(|(value, known)| restore(value, known));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_hidden_and_put_back_by_whoever_sends_what_was_shown() {
        let whole = json!({
            "target": "postgres://u:p@ss@db/shop",
            "settings": {
                "headers": {"Authorization": "Bearer x", "Accept": "text/html", "X-Api-Key": "k"},
                "password": {"file": "/run/pw"}, "max_tokens": "5", "method": "GET",
                "basic_auth": {"username": "u", "password": "p"},
            },
        });
        let mut shown = whole.clone();
        hide_all(shown.as_object_mut().expect("an object"));
        assert_eq!(
            shown,
            json!({
                "target": "postgres://u:<secret>@db/shop",
                "settings": {
                    "headers": {"Authorization": HIDDEN, "Accept": "text/html",
                                "X-Api-Key": HIDDEN},
                    "password": {"file": "/run/pw"}, "max_tokens": "5", "method": "GET",
                    "basic_auth": {"username": "u", "password": HIDDEN},
                },
            })
        );
        let target = shown["target"].as_str().expect("a text").to_owned();
        assert_eq!(restore_target(&target, "postgres://u:p@ss@db/shop"), whole["target"]);
        let mut settings = shown["settings"].clone();
        restore(&mut settings, &whole["settings"]);
        assert_eq!(settings, whole["settings"]);
        assert_eq!(restore_target("http://h:80/a@b", "http://h:80/"), "http://h:80/a@b");
    }
}
