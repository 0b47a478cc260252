//! What a certificate says.

use rustls_pki_types::CertificateDer;
use sha2::{Digest as _, Sha256};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer as _;

use crate::model::Timestamp;
use crate::probes::attempt::Attempt;

/// Names of a certificate beyond these are not shown.
const NAMES_MAX: usize = 20;

/// Notes what the chain says. `[CERTIFICATE_EXPIRATION]` is the earliest end of all certificates
/// that the peer shows, as `probe_ssl_earliest_cert_expiry` of blackbox_exporter
/// (`prober/tls.go`): the connection breaks when any of them ends.
pub(super) fn observe(attempt: &mut Attempt, chain: &[CertificateDer<'_>]) {
    let read: Vec<_> = chain
        .iter()
        .filter_map(|der| X509Certificate::from_der(der).ok().map(|(_, cert)| cert))
        .collect();
    let ends = |cert: &X509Certificate<'_>| cert.validity().not_after.timestamp();
    if let Some(earliest) = read.iter().map(ends).min() {
        attempt.seen.certificate_expires_at = Some(timestamp(earliest));
    }
    if let (Some(leaf), Some(der)) = (read.first(), chain.first()) {
        attempt.note("certificate_subject", leaf.subject().to_string());
        attempt.note("certificate_issuer", leaf.issuer().to_string());
        attempt.note("certificate_names", names_of(leaf));
        attempt.note(
            "certificate_not_before",
            timestamp(leaf.validity().not_before.timestamp()).to_string(),
        );
        attempt.note("certificate_not_after", timestamp(ends(leaf)).to_string());
        attempt.note("certificate_serial", leaf.raw_serial_as_string());
        let sum: String = Sha256::digest(der).iter().map(|byte| format!("{byte:02x}")).collect();
        attempt.note("certificate_sha256", sum);
        attempt.note("certificate_chain_length", read.len());
    }
}

/// ` on 2026-01-31T…`, when it can be read.
pub(super) fn end(der: &CertificateDer<'_>) -> Option<String> {
    let (_, cert) = X509Certificate::from_der(der).ok()?;
    Some(format!(" (it is valid until {})", timestamp(cert.validity().not_after.timestamp())))
}

/// The hosts it is for.
pub(super) fn names(der: &CertificateDer<'_>) -> Vec<String> {
    X509Certificate::from_der(der).map(|(_, cert)| names_of(&cert)).unwrap_or_default()
}

/// Who issued it.
pub(super) fn issuer(der: &CertificateDer<'_>) -> Option<String> {
    X509Certificate::from_der(der).ok().map(|(_, cert)| cert.issuer().to_string())
}

fn names_of(cert: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = cert.subject_alternative_name() else { return Vec::new() };
    let names = extension.value.general_names.iter().filter_map(|name| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => match <[u8; 4]>::try_from(*bytes) {
            Ok(bytes) => Some(std::net::Ipv4Addr::from(bytes).to_string()),
            Err(_) => <[u8; 16]>::try_from(*bytes)
                .ok()
                .map(|bytes| std::net::Ipv6Addr::from(bytes).to_string()),
        },
        _ => None,
    });
    names.take(NAMES_MAX).collect()
}

fn timestamp(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds.saturating_mul(1000))
}
