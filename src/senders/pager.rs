//! PagerDuty and Opsgenie. Each alert is a request of its own; when one fails, all are made again,
//! which their keys make harmless.

use futures_util::future::BoxFuture;
use serde::Deserialize;

use crate::model::{ChannelKind, Timestamp};
use crate::notify::Outgoing;
use crate::notify::render::pager::{self, Action};
use crate::notify::render::template::Template;
use crate::notify::retry::Failure;
use crate::trust::Secret;

use super::exchange::{Client, Request, exchange, secret_text};
use super::{Parts, Sender, Taken, own_text, settings};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PagerDutySettings {
    routing_key: Secret,
    #[serde(default = "pagerduty_api")]
    api_url: String,
}

fn pagerduty_api() -> String {
    "https://events.pagerduty.com".to_owned()
}

/// Events API v2.
pub(super) struct PagerDuty {
    client: Client,
    routing_key: Secret,
    url: reqwest::Url,
    template: Option<Template>,
}

fn joined(base: &str, path: &str) -> Result<reqwest::Url, String> {
    settings::parse_url(&format!("{}{path}", base.trim_end_matches('/')))
        .map_err(|error| format!("settings.api_url: {error}"))
}

impl PagerDuty {
    pub(super) fn new(parts: Parts<'_>) -> Result<Self, String> {
        let read: PagerDutySettings = settings::read(parts.kind, parts.settings)?;
        Ok(PagerDuty {
            client: parts.clients.with(parts.tls),
            routing_key: read.routing_key,
            url: joined(&read.api_url, "/v2/enqueue")?,
            template: parts.template,
        })
    }
}

impl Sender for PagerDuty {
    fn send<'a>(
        &'a self,
        outgoing: &'a Outgoing,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Taken, Failure>> {
        Box::pin(async move {
            let own = own_text(self.template.as_ref(), outgoing)?;
            let key = secret_text(&self.routing_key).await?;
            let mut last = Taken("nothing to tell".to_owned());
            for event in pager::pagerduty(outgoing, &key, own.as_deref()) {
                let mut request = Request::json(self.url.clone(), &event);
                request.hide(&key);
                last = exchange(&self.client, ChannelKind::PagerDuty, request, now).await?;
            }
            Ok(last)
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OpsgenieSettings {
    api_key: Secret,
    #[serde(default = "opsgenie_api")]
    api_url: String,
}

fn opsgenie_api() -> String {
    "https://api.opsgenie.com".to_owned()
}

/// Alert API.
pub(super) struct Opsgenie {
    client: Client,
    api_key: Secret,
    api_url: String,
    template: Option<Template>,
}

impl Opsgenie {
    pub(super) fn new(parts: Parts<'_>) -> Result<Self, String> {
        let read: OpsgenieSettings = settings::read(parts.kind, parts.settings)?;
        joined(&read.api_url, "/v2/alerts")?;
        Ok(Opsgenie {
            client: parts.clients.with(parts.tls),
            api_key: read.api_key,
            api_url: read.api_url,
            template: parts.template,
        })
    }
}

impl Sender for Opsgenie {
    fn send<'a>(
        &'a self,
        outgoing: &'a Outgoing,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Taken, Failure>> {
        Box::pin(async move {
            let own = own_text(self.template.as_ref(), outgoing)?;
            let key = secret_text(&self.api_key).await?;
            let mut last = Taken("nothing to tell".to_owned());
            for step in pager::opsgenie(outgoing, own.as_deref()) {
                let url = joined(&self.api_url, &step.path).map_err(Failure::permanent)?;
                let mut request = Request::json(url, &step.body);
                request.hide(&key);
                request.header("Authorization", &format!("GenieKey {key}"))?;
                let sent = exchange(&self.client, ChannelKind::Opsgenie, request, now).await;
                last = match sent {
                    // What is not there needs no end: somebody deleted it.
                    Err(failure) if step.action != Action::Trigger && is_absent(&failure) => {
                        Taken(failure.reason)
                    }
                    sent => sent?,
                };
            }
            Ok(last)
        })
    }
}

fn is_absent(failure: &Failure) -> bool {
    !failure.transient && failure.reason.contains(" answered 404 ")
}
