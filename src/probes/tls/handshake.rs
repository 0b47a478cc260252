//! The handshake, and the judgement of the certificate after it.
//!
//! Verification comes after the handshake rather than within it, so that a certificate that is
//! expired or for another name is still seen. Nothing is sent before it has passed.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use rustls::client::Resumption;
use rustls::client::danger::ServerCertVerifier;
use rustls::{CertificateError, ClientConfig, InvalidMessage, ProtocolVersion};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::certificate;
use crate::probes::attempt::{Attempt, add, micros};
use crate::probes::target::HostPort;
use crate::trust::{TlsClient, any_certificate, with_identity};

/// Encrypts `stream`, notes phase, version and certificate, and verifies the certificate: chain,
/// dates and name. `alpn` are the protocols to offer, best first.
pub(in crate::probes) async fn handshake<S>(
    attempt: &mut Attempt,
    stream: S,
    target: &HostPort,
    options: &TlsClient,
    alpn: &[&[u8]],
) -> Result<TlsStream<S>, String>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let name = match options.name()? {
        Some(name) => name,
        None => ServerName::try_from(target.host.clone())
            .map_err(|_| format!("{:?} is no name that a certificate can have", target.host))?,
    };
    let (config, verifier) = prepared(options, alpn).await?;
    attempt.wait_for(format!("agreeing on encryption with {target}"));
    let start = Instant::now();
    let shaken = TlsConnector::from(Arc::new(config)).connect(name.clone(), stream).await;
    add(&mut attempt.phases().tls_us, micros(start));
    let stream = shaken.map_err(|error| failure(target, &error))?;

    let session = stream.get_ref().1;
    let version = match session.protocol_version() {
        Some(ProtocolVersion::TLSv1_2) => "TLS 1.2".to_owned(),
        Some(ProtocolVersion::TLSv1_3) => "TLS 1.3".to_owned(),
        other => format!("{other:?}"),
    };
    attempt.note("tls_version", version);
    if let Some(suite) = session.negotiated_cipher_suite() {
        attempt.note("tls_cipher", format!("{:?}", suite.suite()));
    }
    let chain = session.peer_certificates().unwrap_or_default();
    certificate::observe(attempt, chain);
    if let Some(verifier) = verifier {
        let [leaf, rest @ ..] = chain else {
            return Err(format!("{target} shows no certificate"));
        };
        verifier
            .verify_server_cert(leaf, rest, &name, &[], UnixTime::now())
            .map_err(|error| distrust(target, &name, leaf, &error))?;
    }
    Ok(stream)
}

/// What the handshake is done with, and who judges the certificate; nobody if any will do.
async fn prepared(
    options: &TlsClient,
    alpn: &[&[u8]],
) -> Result<(ClientConfig, Option<Arc<dyn ServerCertVerifier>>), String> {
    let options = options.clone();
    // Files are read: beside the runtime.
    let read = move || -> Result<_, String> {
        let verifier = match (&options.ca_file, options.insecure_skip_verify) {
            (_, true) => None,
            (None, false) => Some(TlsClient::machines_verifier()?),
            (Some(_), false) => options.verifier_of(Arc::new(options.roots()?))?,
        };
        Ok((verifier, options.identity()?))
    };
    let (verifier, identity) = tokio::task::spawn_blocking(read)
        .await
        .map_err(|error| format!("cannot prepare TLS: {error}"))??;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(any_certificate(provider));
    let mut config = with_identity(builder, identity)?;
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
    // Every attempt is a whole one: a resumed session would show no certificate.
    config.resumption = Resumption::disabled();
    Ok((config, verifier.map(|verifier| verifier as Arc<dyn ServerCertVerifier>)))
}

/// Why there was no handshake, and what that may mean.
fn failure(target: &HostPort, error: &io::Error) -> String {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::InvalidMessage(
            InvalidMessage::InvalidContentType
            | InvalidMessage::UnknownProtocolVersion
            | InvalidMessage::MessageTooLarge
            | InvalidMessage::InvalidEmptyPayload,
        )) => format!("{target} does not speak TLS on this port"),
        Some(rustls::Error::AlertReceived(alert)) => format!(
            "{target} refused the TLS handshake with the alert {alert:?}: it may know no such \
             host, want a certificate of ours, or have no version or cipher in common with us"
        ),
        Some(rustls::Error::PeerIncompatible(why)) => {
            format!("{target} speaks no TLS that we do ({why:?}): TLS 1.2 and 1.3 are spoken")
        }
        Some(other) => format!("the TLS handshake with {target} failed: {other}"),
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            format!("{target} hung up during the TLS handshake: is this a TLS port?")
        }
        None => format!("the TLS handshake with {target} failed: {error}"),
    }
}

/// What is wrong with the certificate, in words.
fn distrust(
    target: &HostPort,
    name: &ServerName<'_>,
    leaf: &CertificateDer<'_>,
    error: &rustls::Error,
) -> String {
    let whose = format!("the certificate of {target}");
    let rustls::Error::InvalidCertificate(error) = error else {
        return format!("{whose} is not trusted: {error}");
    };
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            let end = certificate::end(leaf);
            format!("{whose} or one of its chain has expired{}", end.unwrap_or_default())
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            format!("{whose} is not valid yet: is one of the clocks wrong?")
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            let names = certificate::names(leaf).join(", ");
            let names = if names.is_empty() { "nothing".to_owned() } else { names };
            format!("{whose} is not for {}: it is for {names}", name.to_str())
        }
        CertificateError::UnknownIssuer => {
            let issuer = certificate::issuer(leaf).unwrap_or_default();
            format!(
                "{whose} was issued by {issuer:?}, which nobody here trusts: name it in \
                 tls.ca_file, or the server leaves out an intermediate certificate"
            )
        }
        CertificateError::Revoked => format!("{whose} is revoked"),
        other if format!("{other:?}").contains("CaUsedAsEndEntity") => {
            format!("{whose} is an authority's own and not a server's (self-signed?)")
        }
        other => format!("{whose} is not trusted: {other}"),
    }
}
