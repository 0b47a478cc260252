//! Webhooks: Alertmanager's JSON or an own template, signed if that is asked for.

use std::collections::BTreeMap;

use futures_util::future::BoxFuture;
use hmac::{Hmac, Mac as _};
use serde::Deserialize;
use sha2::Sha256;

use crate::model::{ChannelKind, Timestamp};
use crate::notify::Outgoing;
use crate::notify::render::alertmanager::webhook_json;
use crate::notify::render::template::{Template, context};
use crate::notify::retry::Failure;
use crate::trust::Secret;

use super::exchange::{Account, Client, Request, exchange, secret_text, secret_url};
use super::{Parts, Sender, Taken, own_text, settings};

/// The signature: `sha256=` and the HMAC-SHA256, in hexadecimal, of the timestamp's header, a
/// full stop and the body.
const SIGNATURE: &str = "X-Vedette-Signature";
/// When it was signed, in Unix seconds: a receiver refuses what is old.
const TIMESTAMP: &str = "X-Vedette-Timestamp";
/// The same for every attempt (draft-ietf-httpapi-idempotency-key-header).
const IDEMPOTENCY_KEY: &str = "Idempotency-Key";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    url: Secret,
    #[serde(default)]
    method: Method,
    #[serde(default)]
    headers: BTreeMap<String, Secret>,
    content_type: Option<String>,
    username: Option<String>,
    password: Option<Secret>,
    bearer_token: Option<Secret>,
    hmac_secret: Option<Secret>,
}

#[derive(Clone, Copy, Default, Deserialize)]
enum Method {
    #[default]
    #[serde(rename = "POST")]
    Post,
    #[serde(rename = "PUT")]
    Put,
    #[serde(rename = "PATCH")]
    Patch,
}

/// A header's value, which may be a template.
enum Header {
    Plain(Secret),
    Template(Box<Template>),
}

pub(super) struct Webhook {
    client: Client,
    url: Secret,
    method: reqwest::Method,
    headers: Vec<(String, Header)>,
    content_type: String,
    account: Account,
    hmac_secret: Option<Secret>,
    template: Option<Template>,
}

impl Webhook {
    pub(super) fn new(parts: Parts<'_>) -> Result<Self, String> {
        let read: Settings = settings::read(parts.kind, parts.settings)?;
        settings::check_url("url", &read.url)?;
        let Settings { username, password, bearer_token, .. } = read;
        let account = Account { username, password, bearer_token };
        account.check()?;
        let header = |(name, value): (String, Secret)| {
            reqwest::header::HeaderName::try_from(&name)
                .map_err(|_| format!("settings.headers: {name:?} is not the name of a header"))?;
            let value = match &value {
                Secret::Text(text) if text.contains("{{") || text.contains("{%") => {
                    let template = Template::compile(text)
                        .map_err(|error| format!("settings.headers.{name}: {error}"))?;
                    Header::Template(Box::new(template))
                }
                _ => Header::Plain(value),
            };
            Ok::<_, String>((name, value))
        };
        Ok(Webhook {
            client: parts.clients.with(parts.tls),
            url: read.url,
            method: match read.method {
                Method::Post => reqwest::Method::POST,
                Method::Put => reqwest::Method::PUT,
                Method::Patch => reqwest::Method::PATCH,
            },
            headers: read.headers.into_iter().map(header).collect::<Result<_, _>>()?,
            content_type: read.content_type.unwrap_or_else(|| "application/json".to_owned()),
            account,
            hmac_secret: read.hmac_secret,
            template: parts.template,
        })
    }

    async fn request(&self, outgoing: &Outgoing, now: Timestamp) -> Result<Request, Failure> {
        let body = match own_text(self.template.as_ref(), outgoing)? {
            Some(own) => own,
            None => webhook_json(outgoing).to_string(),
        };
        let mut request = Request {
            method: self.method.clone(),
            url: secret_url(&self.url).await?,
            headers: reqwest::header::HeaderMap::new(),
            body: body.into_bytes(),
            secrets: Vec::new(),
        };
        request.header("Content-Type", &self.content_type)?;
        request.header(IDEMPOTENCY_KEY, &outgoing.idempotency_key)?;
        request.authorize(&self.account).await?;
        for (name, value) in &self.headers {
            let value = match value {
                Header::Plain(secret) => {
                    let text = secret_text(secret).await?;
                    request.hide(&text);
                    text
                }
                Header::Template(template) => template
                    .render_with(&context(outgoing))
                    .map_err(|e| Failure::permanent(format!("settings.headers.{name}: {e}")))?,
            };
            request.header(name, &value)?;
        }
        if let Some(secret) = &self.hmac_secret {
            let secret = secret_text(secret).await?;
            let seconds = (now.millis() / 1000).to_string();
            let signature = signature(&secret, &seconds, &request.body);
            request.header(TIMESTAMP, &seconds)?;
            request.header(SIGNATURE, &signature)?;
        }
        Ok(request)
    }
}

/// `sha256=` and the HMAC of `timestamp.body`.
pub(super) fn signature(secret: &str, timestamp: &str, body: &[u8]) -> String {
    // A key of any length is taken (RFC 2104).
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else {
        return String::new();
    };
    mac.update(timestamp.as_bytes());
    mac.update(b".");
    mac.update(body);
    let digest = mac.finalize().into_bytes();
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={hex}")
}

impl Sender for Webhook {
    fn send<'a>(
        &'a self,
        outgoing: &'a Outgoing,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Taken, Failure>> {
        Box::pin(async move {
            let request = self.request(outgoing, now).await?;
            exchange(&self.client, ChannelKind::Webhook, request, now).await
        })
    }
}
