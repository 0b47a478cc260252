//! The request, and what a redirect makes of it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HOST, HeaderMap,
    HeaderName, HeaderValue, USER_AGENT,
};
use hyper::{Method, Request, Uri, Version};
use reqwest::Url;

use super::settings::Settings;
use super::shown;
use crate::probes::settings::secret;
use crate::probes::target::percent_decoded;

/// A request in the making; secrets are read.
pub(super) struct Form {
    pub(super) url: Url,
    pub(super) method: Method,
    headers: HeaderMap,
    body: Bytes,
}

impl Form {
    pub(super) async fn new(url: &Url, settings: &Settings) -> Result<Form, String> {
        let mut headers = HeaderMap::new();
        let agent = HeaderValue::from_static(concat!("vedette/", env!("CARGO_PKG_VERSION")));
        headers.insert(USER_AGENT, agent);
        headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        for (name, value) in &settings.headers {
            let value = secret(value).await.map_err(|error| format!("headers.{name}: {error}"))?;
            let value = HeaderValue::from_str(&value)
                .map_err(|_| format!("headers.{name}: a value may have no line breaks"))?;
            let name = HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| format!("headers: {name:?} is not the name of a header"))?;
            headers.insert(name, value);
        }
        let authorization = if let Some(token) = &settings.bearer_token {
            let token = secret(token).await.map_err(|error| format!("bearer_token: {error}"))?;
            Some(format!("Bearer {token}"))
        } else if let Some(auth) = &settings.basic_auth {
            let password = secret(&auth.password)
                .await
                .map_err(|error| format!("basic_auth.password: {error}"))?;
            Some(basic(&auth.username, &password))
        } else if url.username().is_empty() {
            None
        } else {
            let password = url.password().unwrap_or("");
            Some(basic(&decoded(url.username()), &decoded(password)))
        };
        if let Some(text) = authorization {
            let mut value = HeaderValue::from_str(&text)
                .map_err(|_| "the password or token has bytes that a header cannot carry")?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let body = Bytes::from(settings.body.clone().unwrap_or_default());
        Ok(Form { url: url.clone(), method: settings.method()?, headers, body })
    }

    /// Goes where an answer with this status points to, as browsers and Go do (`net/http`,
    /// `redirectBehavior`): 301, 302 and 303 become a GET without a body; to another host neither
    /// credentials nor a `Host` go along.
    pub(super) fn follow(&mut self, location: &str, status: i64) -> Result<(), String> {
        let from = shown(&self.url);
        let next = self.url.join(location).map_err(|error| {
            format!("{from} redirects to {location:?}, which is no URL: {error}")
        })?;
        if !matches!(next.scheme(), "http" | "https") || next.host_str().is_none() {
            return Err(format!("{from} redirects to {location:?}, which is not of http or https"));
        }
        if matches!(status, 301..=303) && self.method != Method::HEAD {
            self.method = Method::GET;
            self.body = Bytes::new();
            self.headers.remove(CONTENT_TYPE);
            self.headers.remove(CONTENT_LENGTH);
        }
        let place = |url: &Url| (url.host_str().map(str::to_owned), url.port_or_known_default());
        if place(&next) != place(&self.url) {
            self.headers.remove(HOST);
        }
        // To the same host over TLS after plain HTTP they may go along, never the other way round.
        let worse = self.url.scheme() == "https" && next.scheme() == "http";
        if next.host_str() != self.url.host_str() || worse {
            self.headers.remove(AUTHORIZATION);
            self.headers.remove(COOKIE);
        }
        self.url = next;
        Ok(())
    }

    pub(super) fn build(&self, version_2: bool) -> Result<Request<Full<Bytes>>, String> {
        let url = &self.url;
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let authority = format!("{}{port}", url.host_str().unwrap_or_default());
        let path_and_query = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        let mut headers = self.headers.clone();
        let host = headers.remove(HOST);
        let uri = if version_2 {
            let authority = match &host {
                Some(host) => host.to_str().map_err(|_| "headers.host: no host")?.to_owned(),
                None => authority,
            };
            Uri::builder()
                .scheme(url.scheme())
                .authority(authority)
                .path_and_query(path_and_query)
                .build()
        } else {
            let host = match host {
                Some(host) => host,
                None => HeaderValue::from_str(&authority)
                    .map_err(|_| format!("{authority:?} cannot be a Host"))?,
            };
            headers.insert(HOST, host);
            Uri::builder().path_and_query(path_and_query).build()
        };
        let mut request = Request::new(Full::new(self.body.clone()));
        *request.uri_mut() = uri.map_err(|error| format!("{}: {error}", shown(url)))?;
        *request.method_mut() = self.method.clone();
        *request.version_mut() = if version_2 { Version::HTTP_2 } else { Version::HTTP_11 };
        *request.headers_mut() = headers;
        Ok(request)
    }
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

/// A URL's user or password without percent signs.
fn decoded(text: &str) -> String {
    String::from_utf8_lossy(&percent_decoded(text)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn form(url: &str, settings: serde_json::Value) -> Form {
        let settings = serde_json::from_value(settings).expect("good settings");
        Form::new(&Url::parse(url).expect("a URL"), &settings).await.expect("good")
    }

    #[tokio::test]
    async fn a_redirect_to_another_host_takes_no_credentials_along() {
        let settings = serde_json::json!({
            "method": "POST", "body": "x",
            "headers": { "Cookie": "a=b", "X-Own": "1", "Host": "front.example" },
        });
        let mut form = form("https://me:p%40ss@a.example/x", settings).await;
        let expected = format!("Basic {}", STANDARD.encode("me:p@ss"));
        assert_eq!(form.headers[AUTHORIZATION], expected.as_str());
        form.follow("/y?z=1", 307).expect("good");
        assert_eq!((form.url.path(), form.method.as_str()), ("/y", "POST"));
        assert!(form.headers.contains_key(AUTHORIZATION) && form.headers.contains_key(HOST));
        assert_eq!(form.body, "x");
        form.follow("//b.example/", 302).expect("good");
        assert_eq!((form.method.as_str(), form.body.len()), ("GET", 0));
        for gone in [AUTHORIZATION, COOKIE, HOST] {
            assert!(!form.headers.contains_key(&gone), "{gone}");
        }
        assert_eq!(form.headers["x-own"], "1");
        let error = form.follow("javascript:alert(1)", 302).expect_err("no URL of ours");
        assert!(error.contains("not of http"), "{error}");
    }

    #[tokio::test]
    async fn a_request_names_its_host_as_its_version_does() {
        let form = form("http://[::1]:8080/a%20b?c", serde_json::json!({})).await;
        let one = form.build(false).expect("good");
        assert_eq!(
            (one.uri().to_string().as_str(), &one.headers()[HOST]),
            ("/a%20b?c", &HeaderValue::from_static("[::1]:8080"))
        );
        let two = form.build(true).expect("good");
        assert_eq!(two.uri(), "http://[::1]:8080/a%20b?c");
        assert!(!two.headers().contains_key(HOST));
    }
}
