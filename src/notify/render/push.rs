//! ntfy and Pushover: onto phones.

use serde_json::{Value, json};

use crate::model::Severity;
use crate::notify::Outgoing;

use super::cut::cut_bytes;
use super::{Message, cut_chars, fit};

/// docs.ntfy.sh/publish/#limitations: longer messages become attachments.
pub const NTFY_MESSAGE_BYTES_MAX: usize = 4096;
/// The same: title.
pub const NTFY_TITLE_BYTES_MAX: usize = 250;
/// pushover.net/api#limits: message.
pub const PUSHOVER_MESSAGE_CHARS_MAX: usize = 1024;
/// The same: title.
pub const PUSHOVER_TITLE_CHARS_MAX: usize = 250;
/// The same: the URL.
pub const PUSHOVER_URL_CHARS_MAX: usize = 512;

/// The body of ntfy's "publish as JSON" (docs.ntfy.sh/publish/#publish-as-json).
pub fn ntfy(outgoing: &Outgoing, topic: &str, own: Option<&str>) -> Value {
    let message = Message::of(outgoing);
    let text = match own {
        Some(own) => cut_bytes(own, NTFY_MESSAGE_BYTES_MAX),
        None => fit(&message.paragraphs(), "\n", NTFY_MESSAGE_BYTES_MAX, message.hidden, str::len),
    };
    let mut body = json!({
        "topic": topic,
        "title": cut_bytes(&message.title, NTFY_TITLE_BYTES_MAX),
        "message": text,
        // 1 to 5, 3 is usual: docs.ntfy.sh/publish/#message-priority
        "priority": match (message.firing, message.severity) {
            (true, Severity::Critical) => 5,
            (true, Severity::Warning) => 4,
            (true, Severity::Info) | (false, _) => 3,
        },
        "tags": [if message.firing { "rotating_light" } else { "white_check_mark" }],
    });
    if !message.best_link().is_empty() {
        body["click"] = message.best_link().into();
    }
    body
}

/// How Pushover treats an emergency, which it repeats until somebody acknowledges it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Emergency {
    /// Seconds between repeats; at least 30.
    pub retry_s: u32,
    /// Seconds until it stops; at most 10800.
    pub expire_s: u32,
}

/// The fields of a Pushover message but for token, user and device (pushover.net/api#messages).
/// Critical alerts have high priority (1), or are an emergency (2) where that is asked for.
pub fn pushover(
    outgoing: &Outgoing,
    own: Option<&str>,
    emergency: Option<Emergency>,
) -> Vec<(&'static str, String)> {
    let message = Message::of(outgoing);
    let text = match own {
        Some(own) => cut_chars(own, PUSHOVER_MESSAGE_CHARS_MAX),
        None => {
            fit(&message.paragraphs(), "\n", PUSHOVER_MESSAGE_CHARS_MAX, message.hidden, |text| {
                text.chars().count()
            })
        }
    };
    let mut fields = vec![
        ("title", cut_chars(&message.title, PUSHOVER_TITLE_CHARS_MAX)),
        ("message", text),
        ("timestamp", (outgoing.decided_at.millis() / 1000).to_string()),
    ];
    let urgent = message.firing && message.severity == Severity::Critical && !outgoing.is_test();
    let priority = match (urgent, emergency) {
        (true, Some(Emergency { retry_s, expire_s })) => {
            fields.push(("retry", retry_s.to_string()));
            fields.push(("expire", expire_s.to_string()));
            2
        }
        (true, None) => 1,
        (false, _) => 0,
    };
    fields.push(("priority", priority.to_string()));
    let link = message.best_link();
    if !link.is_empty() && link.chars().count() <= PUSHOVER_URL_CHARS_MAX {
        fields.push(("url", link.to_owned()));
    }
    fields
}
