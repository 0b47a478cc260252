//! Another Alertmanager, by the API that Prometheus uses (`api/v2/openapi.yaml`, `postAlerts`).
//! It forgets an alert that nobody posts again; see `engine/outbox`, which does.

use futures_util::future::BoxFuture;
use serde::Deserialize;

use crate::model::{ChannelKind, Timestamp};
use crate::notify::Outgoing;
use crate::notify::render::alertmanager::postable;
use crate::notify::retry::Failure;
use crate::trust::Secret;

use super::exchange::{Account, Client, Request, exchange};
use super::{Parts, Sender, Taken, settings};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// All members of a cluster: each is told, as Prometheus does.
    #[serde(alias = "url")]
    urls: OneOrMore,
    username: Option<String>,
    password: Option<Secret>,
    bearer_token: Option<Secret>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a URL or a list of URLs")]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

pub(super) struct Alertmanager {
    client: Client,
    urls: Vec<reqwest::Url>,
    account: Account,
}

impl Alertmanager {
    pub(super) fn new(parts: Parts<'_>) -> Result<Self, String> {
        let read: Settings = settings::read(parts.kind, parts.settings)?;
        if parts.template.is_some() {
            return Err("template: an Alertmanager takes alerts, and no text".to_owned());
        }
        let urls = match read.urls {
            OneOrMore::One(url) => vec![url],
            OneOrMore::More(urls) => urls,
        };
        if urls.is_empty() {
            return Err("settings.urls: names no Alertmanager".to_owned());
        }
        let posting = |url: &String| {
            let url = format!("{}/api/v2/alerts", url.trim_end_matches('/'));
            settings::parse_url(&url).map_err(|error| format!("settings.urls: {error}"))
        };
        let account = Account {
            username: read.username,
            password: read.password,
            bearer_token: read.bearer_token,
        };
        account.check()?;
        Ok(Alertmanager {
            client: parts.clients.with(parts.tls),
            urls: urls.iter().map(posting).collect::<Result<_, _>>()?,
            account,
        })
    }
}

impl Sender for Alertmanager {
    fn send<'a>(
        &'a self,
        outgoing: &'a Outgoing,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Taken, Failure>> {
        Box::pin(async move {
            let body = postable(outgoing.notification.alerts.iter(), now);
            let mut taken = None;
            let mut failed = None;
            for url in &self.urls {
                let mut request = Request::json(url.clone(), &body);
                request.authorize(&self.account).await?;
                match exchange(&self.client, ChannelKind::Alertmanager, request, now).await {
                    Ok(answer) => taken = Some(answer),
                    Err(failure) => failed = Some(failure),
                }
            }
            // The members of a cluster tell each other: one that took it is enough.
            match (taken, failed) {
                (Some(answer), _) => Ok(answer),
                (None, Some(failure)) => Err(failure),
                (None, None) => Err(Failure::permanent("settings.urls: names no Alertmanager")),
            }
        })
    }
}
