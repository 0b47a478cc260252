//! Servers that one logs in to: their URLs, who logs in, and how much encryption is wanted.

use reqwest::Url;
use serde::Deserialize;

use super::settings;
use super::target::{HostPort, percent_decoded};
use crate::trust::{Secret, TlsClient, hide_secrets};

/// Whether a connection is encrypted: libpq's `sslmode`, of which these are the ones that say
/// something different.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum SslMode {
    /// Never.
    Disable,
    /// If the server can; the default, as with libpq. Nobody's certificate is verified.
    Prefer,
    /// Always; the certificate is verified if `tls.ca_file` is given, as with libpq.
    Require,
    /// Always, and the certificate must be valid for the host.
    VerifyFull,
}

impl SslMode {
    fn parse(text: &str) -> Result<SslMode, String> {
        match text.to_ascii_lowercase().as_str() {
            "disable" | "disabled" => Ok(SslMode::Disable),
            "prefer" | "preferred" | "allow" => Ok(SslMode::Prefer),
            "require" | "required" => Ok(SslMode::Require),
            "verify-full" | "verify_identity" => Ok(SslMode::VerifyFull),
            _ => Err(format!(
                "sslmode: {text:?} is none; write disable, prefer, require or verify-full"
            )),
        }
    }

    /// Whether it is an error if the server has no encryption.
    pub(super) fn demands(self) -> bool {
        matches!(self, SslMode::Require | SslMode::VerifyFull)
    }

    /// The options of TLS that this mode means.
    pub(super) fn options(self, tls: &TlsClient) -> TlsClient {
        let mut options = tls.clone();
        if self != SslMode::VerifyFull && options.ca_file.is_none() {
            options.insecure_skip_verify = true;
        }
        options
    }
}

/// What a target and settings say of a server.
#[derive(Clone, Debug)]
pub(super) struct Server {
    pub(super) target: HostPort,
    /// Of the URL; empty for a plain `host:port`.
    pub(super) scheme: String,
    pub(super) user: String,
    pub(super) password: Option<Secret>,
    /// Database or number, without its slash.
    pub(super) path: String,
    pub(super) ssl_mode: Option<SslMode>,
}

impl Server {
    /// Reads `scheme://user:password@host:port/path?sslmode=…`, or `host:port`.
    pub(super) fn parse(target: &str, schemes: &[&str], port: u16) -> Result<Server, String> {
        if !target.contains("://") {
            return Ok(Server {
                target: HostPort::parse(target, Some(port))?,
                scheme: String::new(),
                user: String::new(),
                password: None,
                path: String::new(),
                ssl_mode: None,
            });
        }
        // Never the text itself: it may hold a password.
        let wanted = schemes.join(":// or ");
        let mut url = Url::parse(target.trim()).map_err(|error| {
            format!(
                "target: it is no URL ({error}); write {}://user:password@host:{port}/… with \
                 anything unusual in user and password percent-encoded, or host:port",
                schemes.first().copied().unwrap_or_default()
            )
        })?;
        if !schemes.contains(&url.scheme()) {
            let mut shown = serde_json::Value::String(target.to_owned());
            hide_secrets(&mut shown);
            return Err(format!("target: {shown} is not a URL with {wanted}://"));
        }
        if url.port().is_none() {
            url.set_port(Some(port)).map_err(|()| "target: the URL has no host".to_owned())?;
        }
        let mut ssl_mode = None;
        for (name, value) in url.query_pairs() {
            match name.as_ref() {
                "sslmode" | "ssl-mode" | "ssl_mode" => ssl_mode = Some(SslMode::parse(&value)?),
                other => {
                    return Err(format!(
                        "target: the parameter {other:?} is not known; sslmode is, and the rest \
                         is in settings"
                    ));
                }
            }
        }
        let target =
            HostPort::of_url(&url).map_err(|_| "target: the URL has no host".to_owned())?;
        Ok(Server {
            target: HostPort { host: decode(&target.host)?, port: target.port },
            scheme: url.scheme().to_owned(),
            user: decode(url.username())?,
            password: url.password().map(decode).transpose()?.map(Secret::Text),
            path: decode(url.path().trim_start_matches('/'))?,
            ssl_mode,
        })
    }

    /// The password, read where it is kept; empty where there is none.
    pub(super) async fn password(&self) -> Result<String, String> {
        match &self.password {
            Some(secret) => settings::secret(secret).await,
            None => Ok(String::new()),
        }
    }
}

fn decode(text: &str) -> Result<String, String> {
    String::from_utf8(percent_decoded(text))
        .map_err(|_| "target: what its percent signs mean is no UTF-8".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMES: &[&str] = &["postgres", "postgresql"];

    #[test]
    fn a_url_says_who_logs_in_where() {
        let server =
            Server::parse("postgres://wat%40ch:p%3Aw%2F@[::1]/shop?sslmode=require", SCHEMES, 5432)
                .expect("good");
        assert_eq!(server.target.to_string(), "[::1]:5432");
        assert_eq!((server.user.as_str(), server.path.as_str()), ("wat@ch", "shop"));
        assert_eq!(server.password.map(|secret| secret.read()), Some(Ok("p:w/".to_owned())));
        assert_eq!(server.ssl_mode, Some(SslMode::Require));
        let plain = Server::parse("db.example", SCHEMES, 5432).expect("good");
        assert_eq!(plain.target.to_string(), "db.example:5432");
    }

    #[test]
    fn no_error_about_a_target_holds_its_password() {
        for target in [
            "postgres://u:s3cret@host:port/db",
            "mysql://u:s3cret@host/db",
            "postgres://u:s3cret@",
            "postgres://u:s3cret@h/db?sslmode=never",
            "postgres://u:s3cret@h/db?who=me",
            "postgres://u:s3cret%ff@h/db",
        ] {
            let error = Server::parse(target, SCHEMES, 5432).expect_err(target);
            assert!(error.len() > 20 && !error.contains("s3cret"), "{error}");
        }
    }
}
