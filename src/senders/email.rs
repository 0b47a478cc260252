//! Mail over SMTP (RFC 5321).

use std::time::{Duration, SystemTime};

use futures_util::future::BoxFuture;
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::transport::smtp::{Error as SmtpError, extension::ClientId};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use serde::Deserialize;

use crate::model::Timestamp;
use crate::notify::Outgoing;
use crate::notify::render::email::{Mail, mail};
use crate::notify::render::template::Template;
use crate::notify::retry::Failure;
use crate::trust::{Secret, TlsClient};

use super::exchange::{causes, secret_text};
use super::{Parts, Sender, Taken, own_text, settings};

/// People who get a mail; more belong onto a list.
const RECIPIENTS_MAX: usize = 100;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    host: String,
    port: Option<u16>,
    #[serde(default)]
    encryption: Encryption,
    username: Option<String>,
    password: Option<Secret>,
    from: String,
    to: OneOrMore,
    hello: Option<String>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Encryption {
    /// RFC 3207; refused when the server does not offer it. Port 587.
    #[default]
    StartTls,
    /// From the first byte. Port 465.
    Tls,
    /// Port 25.
    None,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected an address or a list of addresses")]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

pub(super) struct Email {
    host: String,
    port: u16,
    encryption: Encryption,
    account: Option<(String, Secret)>,
    from: Mailbox,
    to: Vec<Mailbox>,
    hello: Option<String>,
    tls: TlsClient,
    template: Option<Template>,
}

impl Email {
    pub(super) fn new(parts: Parts<'_>) -> Result<Self, String> {
        let read: Settings = settings::read(parts.kind, parts.settings)?;
        let address = |field: &str, text: &str| {
            let expected = "write me@example.com or Name <me@example.com>";
            text.parse::<Mailbox>()
                .map_err(|error| format!("settings.{field}: {text:?}: {error}; {expected}"))
        };
        let to = match read.to {
            OneOrMore::One(one) => vec![one],
            OneOrMore::More(more) => more,
        };
        if to.is_empty() || to.len() > RECIPIENTS_MAX {
            return Err(format!("settings.to: needs 1 to {RECIPIENTS_MAX} addresses"));
        }
        let account = match (read.username, read.password) {
            (Some(username), Some(password)) => Some((username, password)),
            (None, None) => None,
            _ => return Err("settings.password: username and password go together".to_owned()),
        };
        if account.is_some() && matches!(read.encryption, Encryption::None) {
            return Err("settings.encryption: \"none\" would send the password in the clear; use \
                        \"starttls\" or \"tls\""
                .to_owned());
        }
        let usual_port = match read.encryption {
            Encryption::StartTls => 587,
            Encryption::Tls => 465,
            Encryption::None => 25,
        };
        Ok(Email {
            host: read.host,
            port: read.port.unwrap_or(usual_port),
            encryption: read.encryption,
            account,
            from: address("from", &read.from)?,
            to: to.iter().map(|one| address("to", one)).collect::<Result<_, _>>()?,
            hello: read.hello,
            tls: parts.tls.clone(),
            template: parts.template,
        })
    }

    async fn transport(&self) -> Result<AsyncSmtpTransport<Tokio1Executor>, Failure> {
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&self.host)
            .port(self.port)
            // The caller bounds the whole; this bounds what lettre might leave behind.
            .timeout(Some(Duration::from_secs(60)));
        builder = match self.encryption {
            Encryption::None => builder.tls(Tls::None),
            Encryption::StartTls => builder.tls(Tls::Required(self.parameters().await?)),
            Encryption::Tls => builder.tls(Tls::Wrapper(self.parameters().await?)),
        };
        if let Some((username, password)) = &self.account {
            let password = secret_text(password).await?;
            builder = builder.credentials(Credentials::new(username.clone(), password));
        }
        if let Some(hello) = &self.hello {
            builder = builder.hello_name(ClientId::Domain(hello.clone()));
        }
        Ok(builder.build())
    }

    async fn parameters(&self) -> Result<TlsParameters, Failure> {
        let (tls, host) = (self.tls.clone(), self.host.clone());
        let building = tokio::task::spawn_blocking(move || parameters(&tls, host));
        let built = building.await.unwrap_or_else(|_| Err("cannot prepare TLS".to_owned()));
        built.map_err(Failure::permanent)
    }

    fn message(&self, outgoing: &Outgoing, own: Option<&str>) -> Result<Message, Failure> {
        let Mail { subject, text, html } = mail(outgoing, own);
        let domain = self.from.email.domain();
        // The same for every attempt: servers and readers drop what they have.
        let id = format!("<{}@{domain}>", safe_id(&outgoing.idempotency_key));
        // All of one group is one conversation.
        let thread = safe_id(&format!("{}\0{}", outgoing.channel, outgoing.notification.group_key));
        let at = SystemTime::UNIX_EPOCH
            + Duration::from_millis(outgoing.decided_at.millis().max(0).unsigned_abs());
        let mut builder = Message::builder()
            .from(self.from.clone())
            .subject(subject)
            .date(at)
            .message_id(Some(id))
            .references(format!("<{thread}@{domain}>"));
        for to in &self.to {
            builder = builder.to(to.clone());
        }
        builder
            .multipart(MultiPart::alternative_plain_html(text, html))
            .map_err(|error| Failure::permanent(format!("cannot write the mail: {error}")))
    }
}

/// Letters and digits that may stand in a Message-ID (RFC 5322, 3.6.4), the same for the same
/// key.
fn safe_id(key: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if !key.is_empty() && key.len() <= 120 && key.chars().all(plain) {
        return format!("vedette-{key}");
    }
    format!("vedette-{:032x}", xxhash_rust::xxh3::xxh3_128(key.as_bytes()))
}

fn parameters(tls: &TlsClient, host: String) -> Result<TlsParameters, String> {
    let mut builder = TlsParameters::builder(tls.server_name.clone().unwrap_or(host));
    if let Some(file) = &tls.ca_file {
        let trouble = |error: &dyn std::fmt::Display| {
            format!("cannot use tls.ca_file {}: {error}", file.display())
        };
        let pem = std::fs::read(file).map_err(|error| trouble(&error))?;
        let certificate = Certificate::from_pem(&pem).map_err(|error| trouble(&error))?;
        builder =
            builder.certificate_store(CertificateStore::None).add_root_certificate(certificate);
    }
    if tls.insecure_skip_verify {
        builder = builder.dangerous_accept_invalid_certs(true);
    }
    builder.build_rustls().map_err(|error| format!("tls: {error}"))
}

fn failed(error: &SmtpError, host: &str) -> Failure {
    let reason = format!("{host}: {}", causes(error));
    // RFC 5321, 4.2.1: 4yz may pass, 5yz does not. What has no code is the network.
    if error.is_permanent() || error.is_client() {
        return Failure::permanent(reason);
    }
    Failure::transient(reason)
}

impl Sender for Email {
    fn send<'a>(
        &'a self,
        outgoing: &'a Outgoing,
        _now: Timestamp,
    ) -> BoxFuture<'a, Result<Taken, Failure>> {
        Box::pin(async move {
            let own = own_text(self.template.as_ref(), outgoing)?;
            let message = self.message(outgoing, own.as_deref())?;
            let transport = self.transport().await?;
            let answer = transport.send(message).await.map_err(|e| failed(&e, &self.host))?;
            let said: Vec<&str> = answer.message().collect();
            Ok(Taken(format!("{} answered {}: {}", self.host, answer.code(), said.join(" "))))
        })
    }
}
