//! Taking secrets out of definitions before anybody sees them.

use serde_json::Value;

/// What stands where a secret is.
pub const HIDDEN: &str = "<secret>";

/// Keys whose text is a secret, whatever else is in their name.
const SECRET_WORDS: [&str; 9] = [
    "password",
    "passphrase",
    "token",
    "secret",
    "authorization",
    "api_key",
    "apikey",
    "api-key",
    "cookie",
];
/// Keys that are secret as a whole.
const SECRET_KEYS: [&str; 3] = ["routing_key", "integration_key", "user_key"];
/// Keys that have a secret's word in their name and are none.
const PUBLIC_KEYS: [&str; 4] = ["token_budget", "max_tokens", "tokens", "tokens_max"];

/// Replaces secrets in settings by [`HIDDEN`]: texts under keys that name one, passwords in URLs.
/// `{"file": …}` and `{"env": …}` stay, as they say only where a secret is.
pub fn hide_secrets(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (key, field) in fields {
                match field {
                    Value::String(text) if is_secret(key) => HIDDEN.clone_into(text),
                    field => hide_secrets(field),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(hide_secrets),
        Value::String(text) => {
            if let Some(shown) = without_password(text) {
                *text = shown;
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Puts the secrets of `stored` back where `sent` has what [`hide_secrets`] left in their place,
/// so that what was read can be sent again without losing a password.
pub fn restore_secrets(sent: &mut Value, stored: &Value) {
    match (sent, stored) {
        (Value::Object(sent), Value::Object(stored)) => {
            for (key, field) in sent {
                if let Some(stored) = stored.get(key) {
                    let hidden = field.as_str() == Some(HIDDEN) && is_secret(key);
                    if hidden { *field = stored.clone() } else { restore_secrets(field, stored) }
                }
            }
        }
        (Value::Array(sent), Value::Array(stored)) => {
            sent.iter_mut().zip(stored).for_each(|(sent, stored)| restore_secrets(sent, stored));
        }
        (Value::String(sent), Value::String(stored))
            if without_password(stored).is_some_and(|shown| shown == *sent) =>
        {
            sent.clone_from(stored);
        }
        _ => {}
    }
}

fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    SECRET_KEYS.contains(&key.as_str())
        || (SECRET_WORDS.iter().any(|word| key.contains(word))
            && !PUBLIC_KEYS.contains(&key.as_str()))
}

/// `scheme://user:password@host` with the password hidden; `None` for anything else.
fn without_password(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    let authority_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    // A password may hold an @ of its own: the last one ends it.
    let (user_info, _) = rest[..authority_end].rsplit_once('@')?;
    let (user, password) = user_info.split_once(':')?;
    if password.is_empty() {
        return None;
    }
    Some(format!("{scheme}://{user}:{HIDDEN}{}", &rest[user_info.len()..]))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_read_has_no_secret_and_can_be_sent_again() {
        let stored = json!({
            "target": "postgres://watch:p@ss@db:5432/shop?sslmode=require",
            "settings": {
                "headers": { "Authorization": "Bearer s3cret", "Accept": "text/html" },
                "basic_auth": { "username": "me", "password": "s3cret" },
                "bearer_token": { "file": "/run/token" },
                "token_budget": "5",
                "channels": [{ "webhook_secret": "s3cret" }, "https://a/b?c=d:e@f"],
            }
        });
        let mut shown = stored.clone();
        hide_secrets(&mut shown);
        assert_eq!(
            shown,
            json!({
                "target": "postgres://watch:<secret>@db:5432/shop?sslmode=require",
                "settings": {
                    "headers": { "Authorization": HIDDEN, "Accept": "text/html" },
                    "basic_auth": { "username": "me", "password": HIDDEN },
                    "bearer_token": { "file": "/run/token" },
                    "token_budget": "5",
                    "channels": [{ "webhook_secret": HIDDEN }, "https://a/b?c=d:e@f"],
                }
            })
        );
        restore_secrets(&mut shown, &stored);
        assert_eq!(shown, stored);

        let mut renewed = json!({ "settings": { "basic_auth": { "password": "new" } } });
        restore_secrets(&mut renewed, &stored);
        assert_eq!(renewed["settings"]["basic_auth"]["password"], "new");
    }
}
