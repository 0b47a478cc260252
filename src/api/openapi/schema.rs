//! Words for writing schemas down (JSON Schema 2020-12, as OpenAPI 3.1 has them).

use serde_json::{Map, Value, json};

/// A text.
pub(super) fn text(says: &str) -> Value {
    json!({"type": "string", "description": says})
}

/// A number; never NaN or infinite.
pub(super) fn number(says: &str) -> Value {
    json!({"type": "number", "description": says})
}

/// A whole number.
pub(super) fn whole(says: &str) -> Value {
    json!({"type": "integer", "description": says})
}

/// `true` or `false`.
pub(super) fn flag(says: &str) -> Value {
    json!({"type": "boolean", "description": says})
}

/// Any JSON.
pub(super) fn any(says: &str) -> Value {
    json!({"description": says})
}

/// A time of an answer: RFC 3339 in UTC, with milliseconds.
pub(super) fn time(says: &str) -> Value {
    json!({"type": "string", "format": "date-time", "description": says})
}

/// A time of a body: RFC 3339, or Unix milliseconds.
pub(super) fn moment(says: &str) -> Value {
    json!({"$ref": "#/components/schemas/Moment", "description": says})
}

/// A duration of a body (seconds, or a text such as `5m`); answers give seconds.
pub(super) fn duration(says: &str) -> Value {
    json!({"$ref": "#/components/schemas/Duration", "description": says})
}

/// The name of an object.
pub(super) fn name(says: &str) -> Value {
    json!({"$ref": "#/components/schemas/Name", "description": says})
}

/// One of these words.
pub(super) fn one_of(words: &[&str], says: &str) -> Value {
    json!({"type": "string", "enum": words, "description": says})
}

/// A list.
pub(super) fn list(of: Value) -> Value {
    json!({"type": "array", "items": of})
}

/// A list, and what it is.
pub(super) fn list_of(of: Value, says: &str) -> Value {
    json!({"type": "array", "items": of, "description": says})
}

/// An object whose keys are free.
pub(super) fn map(of: Value, says: &str) -> Value {
    json!({"type": "object", "additionalProperties": of, "description": says})
}

/// Labels: names and texts.
pub(super) fn labels(says: &str) -> Value {
    map(json!({"type": "string"}), says)
}

/// One of the schemas that have a name.
pub(super) fn refer(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// The schema, or `null`.
pub(super) fn or_null(mut schema: Value) -> Value {
    let says = schema.get("description").cloned();
    if let Some(kind) = schema.get("type").filter(|_| schema.get("enum").is_none()).cloned() {
        schema["type"] = json!([kind, "null"]);
        return schema;
    }
    if let Value::Object(object) = &mut schema {
        object.remove("description");
    }
    let mut either = json!({"anyOf": [schema, {"type": "null"}]});
    if let Some(says) = says {
        either["description"] = says;
    }
    either
}

/// An object. A `*` at the end of a field's name says that it is always there.
pub(super) fn object(fields: &[(&str, Value)]) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for (name, schema) in fields {
        let bare = name.trim_end_matches('*');
        if bare.len() < name.len() {
            required.push(bare);
        }
        properties.insert(bare.to_owned(), schema.clone());
    }
    let mut object = json!({"type": "object", "properties": properties});
    if !required.is_empty() {
        object["required"] = json!(required);
    }
    object
}

/// What all of these say together.
pub(super) fn all_of(parts: &[Value]) -> Value {
    json!({ "allOf": parts })
}

/// Any of these.
pub(super) fn any_of(parts: &[Value], says: &str) -> Value {
    json!({"anyOf": parts, "description": says})
}

/// The schema with an example.
pub(super) fn with_example(mut schema: Value, example: Value) -> Value {
    match schema.get_mut("examples").and_then(Value::as_array_mut) {
        Some(examples) => examples.push(example),
        None => schema["examples"] = json!([example]),
    }
    schema
}
