//! Versions in an order: `paddedVersionString` in `packages/sdk-js/src/util.ts` of
//! growthbook/growthbook.

use serde_json::Value;

use super::javascript::text_of;

/// A version as a text that sorts as versions do: numbers padded, a release after its
/// pre-releases, builds (`+…`) and a leading `v` left out. What is no text and no number is 0.
pub(super) fn padded(value: &Value) -> String {
    let text = match value {
        Value::String(text) if !text.is_empty() => text.as_str().into(),
        Value::Number(_) => text_of(value),
        _ => "0".into(),
    };
    let text = text.strip_prefix('v').unwrap_or(&text);
    let text = text.split_once('+').map_or(text, |(version, _)| version);
    let mut parts: Vec<&str> = text.split(['-', '.']).collect();
    if parts.len() == 3 {
        // Sorts behind all letters: 1.2.3 is newer than 1.2.3-rc.
        parts.push("~");
    }
    let part = |part: &&str| match part.bytes().all(|b| b.is_ascii_digit()) && !part.is_empty() {
        true => format!("{part:>5}"),
        false => (*part).to_owned(),
    };
    parts.iter().map(part).collect::<Vec<_>>().join("-")
}
