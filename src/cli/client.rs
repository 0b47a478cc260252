//! Speaks to a running daemon.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use serde_json::Value;

use super::Remote;

/// A connection to one daemon.
pub(super) struct Client {
    http: reqwest::Client,
    base: String,
    token: Option<String>,
}

impl Client {
    pub(super) fn new(remote: &Remote) -> anyhow::Result<Self> {
        let mut roots =
            rustls::RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        // The machine's own roots come first in meaning: a private authority is usually there.
        for certificate in rustls_native_certs::load_native_certs().certs {
            let _ = roots.add(certificate);
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .connect_timeout(Duration::from_secs(10))
            .build()?;
        let base = remote.url.trim_end_matches('/').to_owned();
        Ok(Client { http, base, token: remote.token.clone() })
    }

    /// Gives the `data` and the `warnings` of an answer.
    pub(super) async fn get(&self, path: &str) -> anyhow::Result<(Value, Vec<String>)> {
        self.send(self.http.get(format!("{}{path}", self.base))).await
    }

    /// Posts a form.
    pub(super) async fn post_form(
        &self,
        path: &str,
        pairs: &[(&str, String)],
    ) -> anyhow::Result<(Value, Vec<String>)> {
        let body: Vec<String> =
            pairs.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
        let request = self
            .http
            .post(format!("{}{path}", self.base))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body.join("&"));
        self.send(request).await
    }

    /// Sends JSON by POST or DELETE.
    pub(super) async fn send_json(
        &self,
        delete: bool,
        path: &str,
        body: &Value,
    ) -> anyhow::Result<Value> {
        let url = format!("{}{path}", self.base);
        let request = if delete { self.http.delete(url) } else { self.http.post(url) };
        let request = request.header("content-type", "application/json").body(body.to_string());
        Ok(self.send(request).await?.0)
    }

    async fn send(
        &self,
        mut request: reqwest::RequestBuilder,
    ) -> anyhow::Result<(Value, Vec<String>)> {
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let response = request.send().await.with_context(|| {
            format!("no answer from {}; is the daemon running? (see --url)", self.base)
        })?;
        let status = response.status();
        let body = response.bytes().await.context("the answer broke off")?;
        let answer: Value = serde_json::from_slice(&body).map_err(|_| {
            anyhow!("{} answered {status} with something that is not JSON", self.base)
        })?;
        if answer["status"] != "success" {
            let reason = answer["error"].as_str().unwrap_or("no reason given");
            bail!("{reason} ({})", answer["errorType"].as_str().unwrap_or(status.as_str()));
        }
        let warnings = ["warnings", "infos"]
            .iter()
            .filter_map(|key| answer[*key].as_array())
            .flatten()
            .filter_map(|text| text.as_str().map(str::to_owned))
            .collect();
        Ok((answer["data"].clone(), warnings))
    }
}

/// Percent-encodes everything but the unreserved characters of RFC 3986.
pub(super) fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_beyond_the_unreserved_characters_is_encoded() {
        assert_eq!(encode("a-b_c.~ +&=ü"), "a-b_c.~%20%2B%26%3D%C3%BC");
    }
}
