//! What is different between two JSON values.

use serde::Serialize;
use serde_json::Value;

/// Differences that are listed.
pub const CHANGES_MAX: usize = 1000;

/// One difference, by its place as a JSON pointer (RFC 6901).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// Where; empty for the whole value.
    pub path: String,
    /// What was there; absent where nothing was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// What is there; absent where nothing is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
}

/// The differences from `before` to `after`, in order of their places, the first
/// [`CHANGES_MAX`] of them. Elements of arrays are compared place by place.
pub fn differences(before: &Value, after: &Value) -> Vec<Change> {
    let mut changes = Vec::new();
    compare(&mut String::new(), Some(before), Some(after), &mut changes);
    changes
}

fn compare(
    path: &mut String,
    before: Option<&Value>,
    after: Option<&Value>,
    changes: &mut Vec<Change>,
) {
    if before == after || changes.len() >= CHANGES_MAX {
        return;
    }
    match (before, after) {
        (Some(Value::Object(before)), Some(Value::Object(after))) => {
            let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
            names.sort_unstable();
            names.dedup();
            for name in names {
                let token = name.replace('~', "~0").replace('/', "~1");
                within(path, &token, before.get(name), after.get(name), changes);
            }
        }
        (Some(Value::Array(before)), Some(Value::Array(after))) => {
            for place in 0..before.len().max(after.len()) {
                let token = place.to_string();
                within(path, &token, before.get(place), after.get(place), changes);
            }
        }
        _ => changes.push(Change {
            path: path.clone(),
            before: before.cloned(),
            after: after.cloned(),
        }),
    }
}

fn within(
    path: &mut String,
    token: &str,
    before: Option<&Value>,
    after: Option<&Value>,
    changes: &mut Vec<Change>,
) {
    let length = path.len();
    path.push('/');
    path.push_str(token);
    compare(path, before, after, changes);
    path.truncate(length);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn differences_are_told_by_their_places() {
        let before =
            json!({"model": "small", "limits": {"tokens": 10}, "a/b": [1, 2], "same": null});
        let after =
            json!({"model": "large", "limits": {"calls": 5}, "a/b": [1, 3, 4], "same": null});
        let changes = serde_json::to_value(differences(&before, &after)).expect("encodes");
        let expected = json!([
            {"path": "/a~1b/1", "before": 2, "after": 3},
            {"path": "/a~1b/2", "after": 4},
            {"path": "/limits/calls", "after": 5},
            {"path": "/limits/tokens", "before": 10},
            {"path": "/model", "before": "small", "after": "large"},
        ]);
        assert_eq!(changes, expected);
        assert_eq!(differences(&before, &before), []);
        assert_eq!(differences(&json!(1), &json!([1]))[0].path, "");
    }
}
