//! What speaks to the services by which people are told.
//!
//! Owns: one sender per kind of channel: its settings, its protocol, what its answers mean.
//! Never: deciding what is told or when it is tried again; a sender tries once. Start reading at
//! [`Sender`], then [`prepare`].

mod alertmanager;
mod chat;
mod email;
mod exchange;
mod exec;
mod pager;
mod push;
mod settings;
mod telegram;
mod webhook;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::model::{ChannelDefinition, ChannelKind, Period, Timestamp};
use crate::notify::Outgoing;
use crate::notify::render::template::Template;
use crate::notify::retry::Failure;

pub use exchange::{Clients, ping};
pub use settings::{Pace, Shared};

/// Whom and how: a channel's definition, ready to be used any number of times.
pub trait Sender: Send + Sync {
    /// Tries once to tell a notification. The caller bounds the time by dropping the future;
    /// everything that was begun for it then ends.
    fn send<'a>(
        &'a self,
        outgoing: &'a Outgoing,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Taken, Failure>>;
}

/// What the other side said when it took a notification: `HTTP 202 Accepted`, an SMTP answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken(pub String);

/// A channel that is ready.
#[derive(Clone)]
pub struct Prepared {
    /// What sends.
    pub sender: Arc<dyn Sender>,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// How many notifications may go out, and how fast.
    pub pace: Pace,
}

/// The kind's word in settings, JSON and metrics.
pub const fn kind_word(kind: ChannelKind) -> &'static str {
    match kind {
        ChannelKind::Webhook => "webhook",
        ChannelKind::Slack => "slack",
        ChannelKind::Discord => "discord",
        ChannelKind::Teams => "teams",
        ChannelKind::Telegram => "telegram",
        ChannelKind::Email => "email",
        ChannelKind::PagerDuty => "pagerduty",
        ChannelKind::Opsgenie => "opsgenie",
        ChannelKind::Ntfy => "ntfy",
        ChannelKind::Pushover => "pushover",
        ChannelKind::Alertmanager => "alertmanager",
        ChannelKind::Exec => "exec",
    }
}

/// Checks a channel's settings and template without touching anything outside.
///
/// # Errors
///
/// Which field is wrong, why, and what to write instead.
pub fn check(channel: &ChannelDefinition) -> Result<(), String> {
    prepare(channel, &Clients::default()).map(drop)
}

/// Reads a channel's settings and template. Secrets in files and in the environment are read at
/// each attempt, so that they may be renewed.
///
/// # Errors
///
/// Which field is wrong, why, and what to write instead.
pub fn prepare(channel: &ChannelDefinition, clients: &Clients) -> Result<Prepared, String> {
    let (shared, settings) = Shared::take(channel)?;
    let template = match &channel.template {
        Some(source) => {
            Some(Template::compile(source).map_err(|error| format!("template: {error}"))?)
        }
        None => None,
    };
    let parts = Parts { kind: channel.kind, settings, template, tls: &shared.tls, clients };
    let sender: Arc<dyn Sender> = match channel.kind {
        ChannelKind::Webhook => Arc::new(webhook::Webhook::new(parts)?),
        ChannelKind::Slack | ChannelKind::Discord | ChannelKind::Teams => {
            Arc::new(chat::Chat::new(parts)?)
        }
        ChannelKind::Telegram => Arc::new(telegram::Telegram::new(parts)?),
        ChannelKind::Email => Arc::new(email::Email::new(parts)?),
        ChannelKind::PagerDuty => Arc::new(pager::PagerDuty::new(parts)?),
        ChannelKind::Opsgenie => Arc::new(pager::Opsgenie::new(parts)?),
        ChannelKind::Ntfy => Arc::new(push::Ntfy::new(parts)?),
        ChannelKind::Pushover => Arc::new(push::Pushover::new(parts)?),
        ChannelKind::Alertmanager => Arc::new(alertmanager::Alertmanager::new(parts)?),
        ChannelKind::Exec => Arc::new(exec::Exec::new(parts)?),
    };
    Ok(Prepared { sender, timeout: shared.timeout.duration(), pace: shared.pace })
}

/// What every sender is made of.
struct Parts<'a> {
    kind: ChannelKind,
    settings: serde_json::Map<String, serde_json::Value>,
    template: Option<Template>,
    tls: &'a crate::trust::TlsClient,
    clients: &'a Clients,
}

/// What a channel's own template makes of a notification, if it has one. A template that fails
/// does so again: it is for its author to mend.
fn own_text(template: Option<&Template>, outgoing: &Outgoing) -> Result<Option<String>, Failure> {
    let rendered = template.map(|template| template.render(outgoing)).transpose();
    rendered.map_err(|error| Failure::permanent(format!("template: {error}")))
}

/// Bounds of the time for one attempt.
const TIMEOUT_MIN: Period = Period::from_secs(1);
const TIMEOUT_MAX: Period = Period::from_secs(60);
