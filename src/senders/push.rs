//! ntfy and Pushover.

use futures_util::future::BoxFuture;
use serde::Deserialize;

use crate::model::{ChannelKind, Period, Timestamp};
use crate::notify::Outgoing;
use crate::notify::render::push;
use crate::notify::render::template::Template;
use crate::notify::retry::Failure;
use crate::trust::Secret;

use super::exchange::{Account, Client, Request, exchange, secret_text};
use super::{Parts, Sender, Taken, own_text, settings};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NtfySettings {
    #[serde(default = "ntfy_server")]
    url: String,
    topic: String,
    token: Option<Secret>,
    username: Option<String>,
    password: Option<Secret>,
}

fn ntfy_server() -> String {
    "https://ntfy.sh".to_owned()
}

/// docs.ntfy.sh/publish
pub(super) struct Ntfy {
    client: Client,
    url: reqwest::Url,
    topic: String,
    account: Account,
    template: Option<Template>,
}

impl Ntfy {
    pub(super) fn new(parts: Parts<'_>) -> Result<Self, String> {
        let read: NtfySettings = settings::read(parts.kind, parts.settings)?;
        let url = settings::parse_url(&read.url).map_err(|e| format!("settings.url: {e}"))?;
        // JSON is published to the server's root; a topic in the URL would be the text's.
        if read.topic.is_empty() || read.topic.contains('/') {
            return Err("settings.topic: must be the topic's name, without a server".to_owned());
        }
        let account =
            Account { username: read.username, password: read.password, bearer_token: read.token };
        account.check()?;
        let client = parts.clients.with(parts.tls);
        Ok(Ntfy { client, url, topic: read.topic, account, template: parts.template })
    }
}

impl Sender for Ntfy {
    fn send<'a>(
        &'a self,
        outgoing: &'a Outgoing,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Taken, Failure>> {
        Box::pin(async move {
            let own = own_text(self.template.as_ref(), outgoing)?;
            let body = push::ntfy(outgoing, &self.topic, own.as_deref());
            let mut request = Request::json(self.url.clone(), &body);
            request.authorize(&self.account).await?;
            exchange(&self.client, ChannelKind::Ntfy, request, now).await
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PushoverSettings {
    token: Secret,
    user_key: Secret,
    device: Option<String>,
    sound: Option<String>,
    emergency: Option<EmergencySettings>,
    #[serde(default = "pushover_api")]
    api_url: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EmergencySettings {
    retry: Period,
    expire: Period,
}

fn pushover_api() -> String {
    "https://api.pushover.net".to_owned()
}

/// pushover.net/api
pub(super) struct Pushover {
    client: Client,
    url: reqwest::Url,
    token: Secret,
    user_key: Secret,
    device: Option<String>,
    sound: Option<String>,
    emergency: Option<push::Emergency>,
    template: Option<Template>,
}

impl Pushover {
    pub(super) fn new(parts: Parts<'_>) -> Result<Self, String> {
        let read: PushoverSettings = settings::read(parts.kind, parts.settings)?;
        let base = read.api_url.trim_end_matches('/');
        let url = settings::parse_url(&format!("{base}/1/messages.json"))
            .map_err(|e| format!("settings.api_url: {e}"))?;
        let emergency = match read.emergency {
            Some(EmergencySettings { retry, expire }) => {
                let (retry_s, expire_s) = (retry.millis() / 1000, expire.millis() / 1000);
                // pushover.net/api#priority
                if retry_s < 30 || !(1..=10_800).contains(&expire_s) {
                    return Err("settings.emergency: retry must be at least 30s, and expire at \
                                most 3h"
                        .to_owned());
                }
                let seconds = |n: i64| u32::try_from(n).unwrap_or(u32::MAX);
                Some(push::Emergency { retry_s: seconds(retry_s), expire_s: seconds(expire_s) })
            }
            None => None,
        };
        Ok(Pushover {
            client: parts.clients.with(parts.tls),
            url,
            token: read.token,
            user_key: read.user_key,
            device: read.device,
            sound: read.sound,
            emergency,
            template: parts.template,
        })
    }
}

/// application/x-www-form-urlencoded, by the writer of query strings.
fn form(fields: &[(&str, String)]) -> Vec<u8> {
    let Ok(mut url) = reqwest::Url::parse("http://form.invalid/") else { return Vec::new() };
    url.query_pairs_mut().extend_pairs(fields);
    url.query().unwrap_or("").as_bytes().to_vec()
}

impl Sender for Pushover {
    fn send<'a>(
        &'a self,
        outgoing: &'a Outgoing,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Taken, Failure>> {
        Box::pin(async move {
            let own = own_text(self.template.as_ref(), outgoing)?;
            let mut fields = push::pushover(outgoing, own.as_deref(), self.emergency);
            let (token, user) =
                (secret_text(&self.token).await?, secret_text(&self.user_key).await?);
            fields.push(("token", token.clone()));
            fields.push(("user", user.clone()));
            fields.extend(self.device.iter().map(|device| ("device", device.clone())));
            fields.extend(self.sound.iter().map(|sound| ("sound", sound.clone())));
            let mut request = Request {
                method: reqwest::Method::POST,
                url: self.url.clone(),
                headers: reqwest::header::HeaderMap::new(),
                body: form(&fields),
                secrets: Vec::new(),
            };
            request.header("Content-Type", "application/x-www-form-urlencoded")?;
            request.hide(&token);
            request.hide(&user);
            exchange(&self.client, ChannelKind::Pushover, request, now).await
        })
    }
}
