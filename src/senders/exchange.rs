//! One HTTP request, and what its answer means.

use std::sync::{Arc, OnceLock};

use base64::Engine as _;
use reqwest::header::{
    AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER,
};

use crate::model::{ChannelKind, Timestamp};
use crate::notify::retry::{Failure, Meaning, meaning_of, retry_after_ms};
use crate::trust::{HIDDEN, Secret, TlsClient, client_config};

use super::Taken;

/// How much of an answer is read, in bytes.
const ANSWER_BYTES_MAX: usize = 8 << 10;
/// How much of an answer is told on, in characters.
const SAID_CHARS_MAX: usize = 300;

/// HTTP clients: one for all channels that have no TLS options of their own, made when the first
/// of them sends, as the authorities of the machine take a megabyte. Cheap to clone.
#[derive(Clone, Default)]
pub struct Clients {
    usual: Arc<OnceLock<Result<reqwest::Client, String>>>,
}

/// A client for one channel.
#[derive(Clone)]
pub(super) struct Client {
    clients: Clients,
    own: Arc<OnceLock<Result<reqwest::Client, String>>>,
    tls: TlsClient,
}

impl Clients {
    pub(super) fn with(&self, tls: &TlsClient) -> Client {
        Client { clients: self.clone(), own: Arc::default(), tls: tls.clone() }
    }
}

impl Client {
    /// Files are read once, on a thread that may wait for them. An error is kept until the
    /// channel's definition changes.
    async fn get(&self) -> Result<reqwest::Client, Failure> {
        let usual = self.tls == TlsClient::default();
        let place = Arc::clone(if usual { &self.clients.usual } else { &self.own });
        let built = match place.get() {
            Some(built) => built.clone(),
            None => {
                let tls = self.tls.clone();
                let building =
                    tokio::task::spawn_blocking(move || place.get_or_init(|| build(&tls)).clone());
                building.await.unwrap_or_else(|_| Err("cannot prepare an HTTP client".to_owned()))
            }
        };
        built.map_err(Failure::permanent)
    }
}

fn build(tls: &TlsClient) -> Result<reqwest::Client, String> {
    reqwest::Client::builder()
        .tls_backend_preconfigured(client_config(tls, true)?)
        .no_proxy()
        .referer(false)
        // A notification that is redirected would lose its body, or tell it to somebody else.
        .redirect(reqwest::redirect::Policy::none())
        .pool_max_idle_per_host(2)
        .user_agent(concat!("vedette/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| format!("cannot prepare an HTTP client: {}", causes(&error)))
}

/// A request to be made.
pub(super) struct Request {
    pub(super) method: reqwest::Method,
    pub(super) url: reqwest::Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    /// Texts that must not be told on, wherever the other side repeats them.
    pub(super) secrets: Vec<String>,
}

impl Request {
    /// A POST of JSON.
    pub(super) fn json(url: reqwest::Url, body: &serde_json::Value) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let body = body.to_string().into_bytes();
        Request { method: reqwest::Method::POST, url, headers, body, secrets: Vec::new() }
    }

    /// Adds a header. Its value is never shown.
    pub(super) fn header(&mut self, name: &str, value: &str) -> Result<(), Failure> {
        let header = HeaderName::try_from(name)
            .map_err(|_| Failure::permanent(format!("{name:?} is not the name of a header")))?;
        let mut value = HeaderValue::try_from(value).map_err(|_| {
            Failure::permanent(format!("the value of the header {name} holds control characters"))
        })?;
        value.set_sensitive(true);
        self.headers.insert(header, value);
        Ok(())
    }

    /// Hides a text in everything that is told on.
    pub(super) fn hide(&mut self, secret: &str) {
        // What is shorter may stand anywhere by chance.
        if secret.len() >= 4 {
            self.secrets.push(secret.to_owned());
        }
    }

    /// `Authorization`, as the settings say.
    pub(super) async fn authorize(&mut self, account: &Account) -> Result<(), Failure> {
        if let Some(token) = &account.bearer_token {
            let token = secret_text(token).await?;
            self.hide(&token);
            self.header(AUTHORIZATION.as_str(), &format!("Bearer {token}"))?;
        }
        if let Some(username) = &account.username {
            let password = match &account.password {
                Some(password) => secret_text(password).await?,
                None => String::new(),
            };
            self.hide(&password);
            let pair = format!("{username}:{password}");
            let pair = base64::engine::general_purpose::STANDARD.encode(pair);
            self.hide(&pair);
            self.header(AUTHORIZATION.as_str(), &format!("Basic {pair}"))?;
        }
        Ok(())
    }

    fn hidden(&self, text: &str) -> String {
        self.secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret, HIDDEN))
    }
}

/// How we say who we are.
#[derive(Clone, Debug, Default)]
pub(super) struct Account {
    pub(super) username: Option<String>,
    pub(super) password: Option<Secret>,
    pub(super) bearer_token: Option<Secret>,
}

impl Account {
    /// Refuses what contradicts itself.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.bearer_token.is_some() && self.username.is_some() {
            return Err("settings.bearer_token: is used instead of username and password, not \
                        beside them"
                .to_owned());
        }
        if self.password.is_some() && self.username.is_none() {
            return Err("settings.username: is needed with password".to_owned());
        }
        Ok(())
    }
}

/// A secret as it is now. What is missing may appear: somebody mounts the file.
pub(super) async fn secret_text(secret: &Secret) -> Result<String, Failure> {
    if let Secret::Text(text) = secret {
        return Ok(text.clone());
    }
    let secret = secret.clone();
    let read = tokio::task::spawn_blocking(move || secret.read());
    let read = read.await.unwrap_or_else(|_| Err("reading a secret failed".to_owned()));
    read.map_err(Failure::transient)
}

/// A URL that may be a secret.
pub(super) async fn secret_url(secret: &Secret) -> Result<reqwest::Url, Failure> {
    let text = secret_text(secret).await?;
    super::settings::parse_url(&text)
        .map_err(|error| Failure::permanent(format!("settings.url: {error}")))
}

/// Makes a request. Says what a service of this kind means by its answer.
pub(super) async fn exchange(
    client: &Client,
    kind: ChannelKind,
    request: Request,
    now: Timestamp,
) -> Result<Taken, Failure> {
    let host = request.url.host_str().unwrap_or("the server").to_owned();
    let sent = client
        .get()
        .await?
        .request(request.method.clone(), request.url.clone())
        .headers(request.headers.clone())
        .body(request.body.clone())
        .send()
        .await;
    let mut response = sent.map_err(|error| {
        let reason = causes(&error.without_url());
        Failure::transient(request.hidden(&format!("cannot reach {host}: {reason}")))
    })?;
    let status = response.status();
    let asked = response
        .headers()
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| retry_after_ms(value, now));
    let mut body = Vec::new();
    // What was answered is known by its status; the rest is for people and may be cut short.
    while let Ok(Some(chunk)) = response.chunk().await {
        let room = ANSWER_BYTES_MAX - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if body.len() == ANSWER_BYTES_MAX {
            break;
        }
    }
    let body = String::from_utf8_lossy(&body).into_owned();
    let said = said(&request.hidden(&body));
    let answer = format!("{host} answered {status}{said}");
    match meaning_of(kind, status.as_u16()) {
        Meaning::Taken => refusal_in(kind, &body).map_or(Ok(Taken(answer)), |reason| {
            Err(Failure::permanent(request.hidden(&format!("{host} refused it: {reason}"))))
        }),
        Meaning::Transient => Err(Failure {
            transient: true,
            retry_after_ms: asked.or_else(|| retry_after_in(&body)),
            reason: answer,
        }),
        Meaning::Permanent => Err(Failure::permanent(answer)),
    }
}

/// Services that answer 200 to what they do not take: Teams' workflows and older connectors say
/// so in the body (learn.microsoft.com/microsoftteams, "Webhook message delivery failed").
fn refusal_in(kind: ChannelKind, body: &str) -> Option<String> {
    let refused = kind == ChannelKind::Teams && body.contains("Webhook message delivery failed");
    refused.then(|| body.chars().take(SAID_CHARS_MAX).collect())
}

/// Discord and Telegram say in JSON how long to wait (`retry_after`, `parameters.retry_after`,
/// in seconds), not always in a header.
fn retry_after_in(body: &str) -> Option<i64> {
    let json: serde_json::Value = serde_json::from_str(body).ok()?;
    let seconds = json["retry_after"].as_f64().or(json["parameters"]["retry_after"].as_f64())?;
    retry_after_ms(&seconds.to_string(), Timestamp::MIN)
}

fn said(body: &str) -> String {
    let body = body.split_whitespace().collect::<Vec<_>>().join(" ");
    if body.is_empty() {
        return String::new();
    }
    format!(": {}", crate::notify::render::cut_chars(&body, SAID_CHARS_MAX))
}

/// An error with what caused it: reqwest's own text stops at "error sending request".
pub(super) fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        cause = inner.source();
    }
    text
}

/// Asks a URL for nothing: a dead man's ping.
///
/// # Errors
///
/// Why nobody heard it; without the URL, which is a secret.
pub async fn ping(clients: &Clients, url: &Secret, now: Timestamp) -> Result<(), Failure> {
    let url = secret_url(url).await?;
    let mut request = Request {
        method: reqwest::Method::GET,
        headers: HeaderMap::new(),
        body: Vec::new(),
        secrets: Vec::new(),
        url,
    };
    let path = request.url.path().to_owned();
    request.hide(&path);
    let client = clients.with(&TlsClient::default());
    exchange(&client, ChannelKind::Webhook, request, now).await.map(drop)
}
