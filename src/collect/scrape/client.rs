//! One HTTP request to one target.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};

use super::target::{Pool, Target};
use crate::decode::exposition;
use crate::trust::client_config;

/// Redirects that are followed, as many as Go's client does.
const REDIRECTS_MAX: usize = 10;
/// A secret in a file is read up to here.
const SECRET_BYTES_MAX: u64 = 64 << 10;

/// What a target answered.
#[derive(Debug, Default)]
pub struct Answer {
    /// The body, inflated. Its capacity is used again by the next scrape.
    pub body: Vec<u8>,
    /// The header `Content-Type`.
    pub content_type: Option<String>,
}

/// Asks the targets of one group. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    client: reqwest::Client,
    pool: Arc<Pool>,
    headers: HeaderMap,
}

impl Client {
    /// A client with the group's options; `https` says whether any of its targets is asked over
    /// TLS. The error says which file or option is to blame.
    pub fn new(pool: &Arc<Pool>, https: bool) -> Result<Self, String> {
        let config = &pool.config;
        let redirect = if config.follow_redirects {
            reqwest::redirect::Policy::limited(REDIRECTS_MAX)
        } else {
            reqwest::redirect::Policy::none()
        };
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(client_config(&config.tls, https)?)
            .no_proxy()
            .referer(false)
            .gzip(config.enable_compression)
            .redirect(redirect)
            .pool_max_idle_per_host(1)
            .user_agent(concat!("vedette/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| format!("cannot prepare an HTTP client: {}", causes(&error)))?;
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static(exposition::ACCEPT));
        for (name, value) in &config.headers {
            let name = HeaderName::try_from(name)
                .map_err(|_| format!("headers: {name:?} is not the name of a header"))?;
            let value = HeaderValue::try_from(value)
                .map_err(|_| format!("headers: the value of {name} holds control characters"))?;
            headers.insert(name, value);
        }
        Ok(Client { client, pool: Arc::clone(pool), headers })
    }

    /// Asks `target`. The body that comes is written to `answer`. The error is one line for the
    /// list of targets.
    pub async fn scrape(&self, target: &Target, answer: &mut Answer) -> Result<(), String> {
        let timeout = target.timeout.duration();
        match tokio::time::timeout(timeout, self.fetch(target, timeout, answer)).await {
            Ok(fetched) => fetched,
            Err(_) => Err(format!("the target did not answer within {}", target.timeout)),
        }
    }

    async fn fetch(
        &self,
        target: &Target,
        timeout: Duration,
        answer: &mut Answer,
    ) -> Result<(), String> {
        answer.body.clear();
        let seconds = timeout.as_secs_f64().to_string();
        let mut request = self
            .client
            .get(&target.url)
            .headers(self.headers.clone())
            .header("X-Prometheus-Scrape-Timeout-Seconds", seconds);
        let config = &self.pool.config;
        if let Some(auth) = &config.basic_auth {
            let password = secret(&auth.password, auth.password_file.as_deref()).await?;
            request = request.basic_auth(&auth.username, Some(password));
        }
        if let Some(auth) = &config.authorization {
            let token = secret(&auth.credentials, auth.credentials_file.as_deref()).await?;
            let value = HeaderValue::try_from(format!("{} {token}", auth.kind)).map(|mut value| {
                value.set_sensitive(true);
                value
            });
            let value = value.map_err(|_| "authorization holds control characters".to_owned())?;
            request = request.header(AUTHORIZATION, value);
        }
        let mut response = request.send().await.map_err(|error| causes(&error.without_url()))?;
        let status = response.status();
        if status != reqwest::StatusCode::OK {
            return Err(format!("server returned HTTP status {status}"));
        }
        answer.content_type = response
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned);
        let max = self.pool.limits.inflated_bytes_max;
        while let Some(chunk) = response.chunk().await.map_err(|e| causes(&e.without_url()))? {
            if answer.body.len() + chunk.len() > max {
                return Err(format!(
                    "the body is larger than {max} bytes (body_size_limit or \
                     limits.inflated_bytes_max)"
                ));
            }
            answer.body.extend_from_slice(&chunk);
        }
        Ok(())
    }
}

/// A secret as it is set, or the content of its file without the line's end.
async fn secret(inline: &str, file: Option<&Path>) -> Result<String, String> {
    use tokio::io::AsyncReadExt as _;
    let Some(file) = file else { return Ok(inline.to_owned()) };
    let mut text = String::new();
    let read = async {
        let opened = tokio::fs::File::open(file).await?;
        opened.take(SECRET_BYTES_MAX).read_to_string(&mut text).await
    };
    read.await.map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// An error with what caused it: reqwest's own text stops at "error sending request".
fn causes(error: &dyn std::error::Error) -> String {
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
