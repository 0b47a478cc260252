//! Channels over HTTP.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::Response;
use serde_json::{Map, Value, json};

use crate::engine::watch::{Catalog, Defined, Definitions};
use crate::model::{ChannelDefinition, ChannelKind};
use crate::senders;
use crate::trust::{HIDDEN, hide_secrets, restore_secrets};

use super::ApiError;
use super::json::success;
use super::objects::{Object, find};
use super::state::App;

impl Object for ChannelDefinition {
    const DURATIONS: &'static [&'static str] = &[];

    fn all(catalog: &Catalog) -> &Definitions<Self> {
        &catalog.channels
    }

    fn examine(&self, app: &App) -> Result<(), String> {
        if self.kind == ChannelKind::Exec {
            return Err("kind: exec runs commands, and is taken from the settings file only; \
                        write it there as [[channel]] and reload"
                .to_owned());
        }
        if has_hidden(&Value::Object(self.settings.clone())) {
            return Err(format!(
                "settings: {HIDDEN:?} stands for a secret that is stored, and here none is; send \
                 the secret itself, or {{\"file\": …}} or {{\"env\": …}}"
            ));
        }
        if let Some(fallback) = &self.fallback
            && app.engine().is_ok_and(|e| e.catalog.channels.get(fallback.as_str()).is_none())
        {
            return Err(format!(
                "fallback: there is no channel {:?}; make it first",
                fallback.as_str()
            ));
        }
        senders::check(self)
    }

    fn with_secrets_of(mut self, before: &Self) -> Self {
        if self.kind != before.kind {
            return self;
        }
        let stored = Value::Object(before.settings.clone());
        let shown = Value::Object(hidden(before));
        let mut sent = Value::Object(std::mem::take(&mut self.settings));
        restore_secrets(&mut sent, &stored);
        if let Value::Object(mut sent) = sent {
            if sent.contains_key("url") && sent.get("url") == shown.get("url") {
                sent.insert("url".to_owned(), stored["url"].clone());
            }
            self.settings = sent;
        }
        self
    }

    fn complete(_app: &App, defined: &Defined<Self>, shown: &mut Map<String, Value>) {
        shown.insert("settings".to_owned(), Value::Object(hidden(&defined.definition)));
    }
}

/// A channel's settings without its secrets. The URLs of chat services are secrets as a whole:
/// whoever has one may write.
fn hidden(channel: &ChannelDefinition) -> Map<String, Value> {
    let mut settings = Value::Object(channel.settings.clone());
    hide_secrets(&mut settings);
    let Value::Object(mut settings) = settings else { return Map::new() };
    let secret_url =
        matches!(channel.kind, ChannelKind::Slack | ChannelKind::Discord | ChannelKind::Teams);
    if let Some(Value::String(url)) = settings.get_mut("url") {
        if secret_url {
            HIDDEN.clone_into(url);
        } else if let Some((base, _)) = url.split_once('?') {
            *url = format!("{base}?{HIDDEN}");
        }
    }
    settings
}

fn has_hidden(value: &Value) -> bool {
    match value {
        Value::String(text) => text == HIDDEN || text.ends_with(&format!("?{HIDDEN}")),
        Value::Array(items) => items.iter().any(has_hidden),
        Value::Object(fields) => fields.values().any(has_hidden),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// `POST /api/v1/channels/{name}/test`: a message through the real path, and what the other side
/// said to it: `outcome` is `delivered`, `failed`, or `waiting` when it has said nothing in time.
pub(super) async fn test(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
) -> Result<Response<Body>, ApiError> {
    let channel = find::<ChannelDefinition>(&app, &name)?;
    let tested = app.engine()?.outbox.test(&channel.definition.name).await?;
    let (outcome, said) = match tested.outcome {
        Some(Ok(said)) => ("delivered", said),
        Some(Err(reason)) => ("failed", reason),
        None => ("waiting", "no answer yet; see /api/v1/deliveries".to_owned()),
    };
    Ok(success(&json!({"delivery": tested.delivery, "outcome": outcome, "said": said})))
}
