//! TLS towards a target, with the options that Prometheus has.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};

use crate::config::TlsClient;

/// How connections are encrypted. Without `used` (no target of the group has https) no authority
/// is loaded, which saves a megabyte.
pub(super) fn client_config(options: &TlsClient, used: bool) -> Result<ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let roots = if used { roots(options)? } else { RootCertStore::empty() };
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let name = match &options.server_name {
        Some(name) => Some(
            ServerName::try_from(name.clone())
                .map_err(|_| format!("tls.server_name {name:?} is not a host name"))?,
        ),
        None => None,
    };
    let builder = if options.insecure_skip_verify || name.is_some() {
        let inner = if options.insecure_skip_verify || roots.is_empty() {
            None
        } else {
            let built =
                WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
            Some(built.build().map_err(|error| error.to_string())?)
        };
        builder.dangerous().with_custom_certificate_verifier(Arc::new(Verifier {
            provider,
            inner,
            name,
            accept_any: options.insecure_skip_verify,
        }))
    } else {
        builder.with_root_certificates(roots)
    };
    let mut config = match (&options.cert_file, &options.key_file) {
        (Some(cert), Some(key)) => {
            let chain = CertificateDer::pem_file_iter(cert)
                .and_then(Iterator::collect::<Result<Vec<_>, _>>)
                .map_err(|error| {
                    format!("cannot read tls.cert_file {}: {error}", cert.display())
                })?;
            let key = PrivateKeyDer::from_pem_file(key)
                .map_err(|error| format!("cannot read tls.key_file {}: {error}", key.display()))?;
            builder.with_client_auth_cert(chain, key).map_err(|error| {
                format!("tls.cert_file and tls.key_file do not fit together: {error}")
            })?
        }
        _ => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// The authorities to trust: the file's, or else the machine's together with Mozilla's.
fn roots(options: &TlsClient) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    match &options.ca_file {
        Some(file) => {
            let trouble = |error: &dyn std::fmt::Display| {
                format!("cannot use tls.ca_file {}: {error}", file.display())
            };
            for cert in CertificateDer::pem_file_iter(file).map_err(|error| trouble(&error))? {
                let cert = cert.map_err(|error| trouble(&error))?;
                roots.add(cert).map_err(|error| trouble(&error))?;
            }
            if roots.is_empty() {
                return Err(trouble(&"it holds no certificate"));
            }
        }
        None => {
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
            // A certificate of the machine that cannot be read is one authority less, no more.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    Ok(roots)
}

/// Verifies for another name than the one dialled, or not at all.
#[derive(Debug)]
struct Verifier {
    provider: Arc<CryptoProvider>,
    inner: Option<Arc<WebPkiServerVerifier>>,
    name: Option<ServerName<'static>>,
    accept_any: bool,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        dialled: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match &self.inner {
            _ if self.accept_any => Ok(ServerCertVerified::assertion()),
            Some(inner) => {
                let name = self.name.as_ref().unwrap_or(dialled);
                inner.verify_server_cert(end_entity, intermediates, name, ocsp, now)
            }
            None => Err(rustls::Error::General("no certificate authority is known".to_owned())),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
