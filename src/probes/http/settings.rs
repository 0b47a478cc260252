//! What may be set for an HTTP check.

use std::collections::BTreeMap;

use hyper::Method;
use hyper::header::{HeaderName, HeaderValue};
use reqwest::Url;
use serde::Deserialize;

use crate::probes::connect::IpVersion;
use crate::trust::{Secret, TlsClient};

/// Redirects that are followed unless the check says how many, as many as Go's client does.
const REDIRECTS: u32 = 10;
/// A check may not follow more.
const REDIRECTS_MAX: u32 = 100;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Settings {
    pub(super) method: Option<String>,
    pub(super) headers: BTreeMap<String, Secret>,
    pub(super) body: Option<String>,
    pub(super) basic_auth: Option<BasicAuth>,
    pub(super) bearer_token: Option<Secret>,
    pub(super) follow_redirects: Option<Redirects>,
    pub(super) http_version: HttpVersion,
    pub(super) ip_version: IpVersion,
    pub(super) tls: TlsClient,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BasicAuth {
    pub(super) username: String,
    pub(super) password: Secret,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(untagged, expecting = "expected true, false or how many")]
pub(super) enum Redirects {
    Any(bool),
    Most(u32),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) enum HttpVersion {
    /// Over TLS what the server prefers, otherwise 1.1.
    #[default]
    #[serde(rename = "auto")]
    Auto,
    #[serde(rename = "1.1")]
    One,
    /// Without TLS with prior knowledge (RFC 9113, section 3.3).
    #[serde(rename = "2")]
    Two,
}

impl HttpVersion {
    /// What is offered in the TLS handshake.
    pub(super) fn alpn(self) -> &'static [&'static [u8]] {
        match self {
            HttpVersion::Auto => &[b"h2", b"http/1.1"],
            HttpVersion::One => &[b"http/1.1"],
            HttpVersion::Two => &[b"h2"],
        }
    }
}

impl Settings {
    pub(super) fn redirects_max(&self) -> u32 {
        match self.follow_redirects {
            None | Some(Redirects::Any(true)) => REDIRECTS,
            Some(Redirects::Any(false)) => 0,
            Some(Redirects::Most(most)) => most,
        }
    }

    pub(super) fn method(&self) -> Result<Method, String> {
        let method = self.method.as_deref().unwrap_or("GET");
        Method::from_bytes(method.as_bytes())
            .map_err(|_| format!("method: {method:?} is no method; write GET, HEAD, POST, …"))
    }

    /// Everything that can be wrong before anybody is asked.
    pub(super) fn check(&self, url: &Url) -> Result<(), String> {
        if self.method()? == Method::CONNECT {
            return Err("method: CONNECT is for proxies".to_owned());
        }
        self.tls.name()?;
        if self.redirects_max() > REDIRECTS_MAX {
            return Err(format!("follow_redirects: at most {REDIRECTS_MAX}"));
        }
        for (name, value) in &self.headers {
            HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| format!("headers: {name:?} is not the name of a header"))?;
            if let Secret::Text(text) = value {
                HeaderValue::from_str(text)
                    .map_err(|_| format!("headers.{name}: a value may have no line breaks"))?;
            }
        }
        let named = self.headers.keys().any(|name| name.eq_ignore_ascii_case("authorization"));
        let ways = [
            (self.basic_auth.is_some(), "basic_auth"),
            (self.bearer_token.is_some(), "bearer_token"),
            (named, "headers.authorization"),
            (!url.username().is_empty(), "the URL's user"),
        ];
        let set: Vec<&str> = ways.iter().filter(|(set, _)| *set).map(|(_, name)| *name).collect();
        match set.as_slice() {
            [one, other, ..] => Err(format!("{one} and {other} both say who asks: keep one")),
            _ => Ok(()),
        }
    }
}
