//! One operation: what a method of a path does, who may, what it takes and what it answers.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::super::auth::Permission;
use super::schema::{object, text};

/// What a method of a path does.
#[derive(Clone, Debug)]
pub(super) struct Operation {
    /// In capitals.
    pub(super) method: &'static str,
    /// As the router has it: `/api/v1/checks/{name}`.
    pub(super) path: String,
    pub(super) permission: Permission,
    summary: String,
    details: Vec<String>,
    parameters: Vec<Value>,
    body: Option<Value>,
    answers: BTreeMap<String, Value>,
}

impl Operation {
    fn new(
        method: &'static str,
        path: impl Into<String>,
        permission: Permission,
        summary: impl Into<String>,
    ) -> Self {
        Operation {
            method,
            path: path.into(),
            permission,
            summary: summary.into(),
            details: Vec::new(),
            parameters: Vec::new(),
            body: None,
            answers: BTreeMap::new(),
        }
    }

    /// More than a line; several calls make several paragraphs.
    pub(super) fn says(mut self, details: impl Into<String>) -> Self {
        self.details.push(details.into());
        self
    }

    /// Parameters of the query string.
    pub(super) fn takes(mut self, parameters: &[Value]) -> Self {
        self.parameters.extend(parameters.iter().cloned());
        self
    }

    /// Parameters that may come in a form's body as well, as Prometheus has it.
    pub(super) fn takes_form(mut self, parameters: &[Value]) -> Self {
        if self.method == "GET" {
            return self.takes(parameters);
        }
        let mut properties = Map::new();
        let mut required = Vec::new();
        for parameter in parameters {
            let name = parameter["name"].as_str().unwrap_or_default();
            let mut schema = parameter["schema"].clone();
            schema["description"] = parameter["description"].clone();
            properties.insert(name.to_owned(), schema);
            if parameter["required"] == true {
                required.push(name);
            }
        }
        let mut form = json!({"type": "object", "properties": properties});
        if !required.is_empty() {
            form["required"] = json!(required);
        }
        self.body = Some(json!({
            "content": {"application/x-www-form-urlencoded": {"schema": form}},
            "description": "The parameters; they may stand in the query string instead.",
        }));
        self
    }

    /// A body of JSON.
    pub(super) fn body(self, schema: Value) -> Self {
        self.body_of(true, &[("application/json", schema)])
    }

    /// A body of JSON that may be left out.
    pub(super) fn optional_body(self, schema: Value) -> Self {
        self.body_of(false, &[("application/json", schema)])
    }

    /// A body of several types.
    pub(super) fn body_of(mut self, required: bool, types: &[(&str, Value)]) -> Self {
        let content: Map<String, Value> = types
            .iter()
            .map(|(kind, schema)| ((*kind).to_owned(), json!({ "schema": schema })))
            .collect();
        self.body = Some(json!({"required": required, "content": content}));
        self
    }

    /// 200 with our envelope around this.
    pub(super) fn answers(self, data: Value) -> Self {
        self.answers_with(200, "Done.", data)
    }

    /// The envelope around this, under another status.
    pub(super) fn answers_with(self, status: u16, says: &str, data: Value) -> Self {
        let schema = envelope(&[("data*", data)]);
        self.answers_raw(status, says, &[("application/json", schema)])
    }

    /// A page of a list, with the cursor of the next one.
    pub(super) fn answers_page(self, item: Value) -> Self {
        let next = json!({
            "description": "Where the next page begins: send it as `after`. Absent, or null, on \
                            the last page.",
        });
        let schema = envelope(&[("data*", super::schema::list(item)), ("next", next)]);
        self.answers_raw(200, "A page.", &[("application/json", schema)])
    }

    /// An answer without our envelope.
    pub(super) fn answers_raw(mut self, status: u16, says: &str, types: &[(&str, Value)]) -> Self {
        let content: Map<String, Value> = types
            .iter()
            .map(|(kind, schema)| ((*kind).to_owned(), json!({ "schema": schema })))
            .collect();
        self.answers.insert(status.to_string(), json!({"description": says, "content": content}));
        self
    }

    /// An answer without a body.
    pub(super) fn answers_nothing(mut self, status: u16, says: &str) -> Self {
        self.answers.insert(status.to_string(), json!({ "description": says }));
        self
    }

    /// 409: it clashes with how things are.
    pub(super) fn may_conflict(mut self) -> Self {
        self.answers.insert("409".to_owned(), refer_answer("Conflict"));
        self
    }

    /// A unique name: `get_checks_name_results`.
    pub(super) fn id(&self) -> String {
        let path = self.path.strip_prefix("/api/v1").unwrap_or(&self.path);
        let words =
            path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
        let mut id = self.method.to_ascii_lowercase();
        for word in words {
            id.push('_');
            id.push_str(word);
        }
        if self.path.ends_with('/') {
            id.push_str("_index");
        }
        id
    }

    /// The path as OpenAPI writes it, and the names of its parameters.
    pub(super) fn template(&self) -> (String, Vec<String>) {
        let mut names = Vec::new();
        let path: Vec<String> = self
            .path
            .split('/')
            .map(|part| match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
                Some(name) => {
                    let name = name.trim_start_matches('*');
                    names.push(name.to_owned());
                    format!("{{{name}}}")
                }
                None => part.to_owned(),
            })
            .collect();
        (path.join("/"), names)
    }

    /// The operation object of the document.
    pub(super) fn document(&self, tag: &str) -> Value {
        let (_, names) = self.template();
        let mut parameters: Vec<Value> = names.iter().map(|name| path_parameter(name)).collect();
        parameters.extend(self.parameters.iter().cloned());
        let mut details = self.details.clone();
        details.push(format!("Permission: {}.", permission_name(self.permission)));
        let mut document = json!({
            "operationId": self.id(),
            "tags": [tag],
            "summary": self.summary,
            "description": details.join("\n\n"),
            "x-permission": permission_name(self.permission),
            "responses": self.responses(!names.is_empty()),
        });
        if !parameters.is_empty() {
            document["parameters"] = parameters.into();
        }
        if let Some(body) = &self.body {
            document["requestBody"] = body.clone();
        }
        if self.permission == Permission::Open {
            document["security"] = json!([]);
        }
        document
    }

    /// The answers, and those that nearly all operations share.
    fn responses(&self, has_path_parameters: bool) -> Value {
        let mut answers = self.answers.clone();
        let mut shared = vec![("503", "Unavailable"), ("default", "Error")];
        if self.permission != Permission::Open {
            shared.extend([("401", "Unauthorized"), ("403", "Forbidden")]);
        }
        if self.body.is_some() || !self.parameters.is_empty() {
            shared.push(("400", "BadData"));
        }
        if has_path_parameters {
            shared.push(("404", "NotFound"));
        }
        for (status, name) in shared {
            answers.entry(status.to_owned()).or_insert_with(|| refer_answer(name));
        }
        json!(answers)
    }
}

/// The word for a permission, as docs and tokens use it.
pub(super) const fn permission_name(permission: Permission) -> &'static str {
    match permission {
        Permission::Open => "none",
        Permission::Read => "read",
        Permission::Send => "send",
        Permission::Operate => "operate",
        Permission::Administer => "administer",
    }
}

fn refer_answer(name: &str) -> Value {
    json!({"$ref": format!("#/components/responses/{name}")})
}

/// Our envelope of success around some fields.
fn envelope(fields: &[(&str, Value)]) -> Value {
    let mut all = vec![("status*", json!({"type": "string", "const": "success"}))];
    all.extend(fields.iter().cloned());
    let remarks = |says: &str| super::schema::list_of(json!({"type": "string"}), says);
    all.push(("warnings", remarks("What may make the answer other than expected.")));
    all.push(("infos", remarks("What is worth knowing about the answer.")));
    object(&all)
}

fn path_parameter(name: &str) -> Value {
    let (schema, says) = match name {
        "id" => (text(""), "The id; of an incident its number will do."),
        "token" => (text(""), "The secret token of a heartbeat."),
        "what" => (text(""), "`start`, `fail`, `log`, or an exit code from 0 to 255."),
        "unit" => (text(""), "The id of a unit, as it was sent."),
        "hash" => (text(""), "The hash over all files of the page."),
        "path" => (text(""), "The rest of the path."),
        _ => (text(""), "The name."),
    };
    let kind = schema["type"].clone();
    json!({
        "name": name, "in": "path", "required": true, "description": says,
        "schema": {"type": kind},
    })
}

/// A parameter of the query string.
pub(super) fn query(name: &str, mut schema: Value) -> Value {
    let says = match &mut schema {
        Value::Object(schema) => schema.remove("description").unwrap_or_default(),
        _ => Value::Null,
    };
    json!({"name": name, "in": "query", "description": says, "schema": schema})
}

/// A parameter that must be there.
pub(super) fn required(name: &str, schema: Value) -> Value {
    let mut parameter = query(name, schema);
    parameter["required"] = true.into();
    parameter
}

/// A parameter that may be given many times.
pub(super) fn repeated(name: &str, schema: Value) -> Value {
    let mut parameter = query(name, schema);
    let of = parameter["schema"].take();
    parameter["schema"] = json!({"type": "array", "items": of});
    parameter["explode"] = true.into();
    parameter
}

/// How many at most.
pub(super) fn limit(says: &str) -> Value {
    query("limit", json!({"type": "integer", "minimum": 0, "description": says}))
}

/// The cursor of a page.
pub(super) fn after() -> Value {
    query("after", text("The `next` of the page before."))
}

/// A header by which a request may be sent again without doing it twice.
pub(super) fn idempotency_key(says: &str) -> Value {
    json!({
        "name": "Idempotency-Key", "in": "header", "description": says,
        "schema": {"type": "string"},
    })
}

macro_rules! methods {
    ($($(#[$doc:meta])* $name:ident $method:literal)*) => {$(
        $(#[$doc])*
        pub(super) fn $name(
            path: impl Into<String>,
            permission: Permission,
            summary: impl Into<String>,
        ) -> Operation {
            Operation::new($method, path, permission, summary)
        }
    )*};
}

methods! {
    /// `GET`
    get "GET"
    /// `POST`
    post "POST"
    /// `PUT`
    put "PUT"
    /// `PATCH`
    patch "PATCH"
    /// `DELETE`
    delete "DELETE"
}
