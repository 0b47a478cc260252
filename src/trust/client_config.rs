//! TLS towards others over HTTP, with the options that Prometheus has.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WantsClientCert, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::{ClientConfig, ConfigBuilder, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::TlsClient;
use super::tls_client::Identity;

/// How connections are encrypted. Without `used` (nobody is asked over https) no authority is
/// loaded, which saves a megabyte.
///
/// # Errors
///
/// Which file or option is to blame.
pub fn client_config(options: &TlsClient, used: bool) -> Result<ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let roots = if used { options.roots()? } else { RootCertStore::empty() };
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let name = options.name()?;
    let builder = if options.insecure_skip_verify || name.is_some() {
        let inner = if options.insecure_skip_verify {
            None
        } else {
            options.verifier_of(Arc::new(roots))?
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
    let mut config = with_identity(builder, options.identity()?)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// The end of a configuration: who we are, where the other side wants to know.
///
/// # Errors
///
/// When certificate and key do not fit together.
pub fn with_identity(
    builder: ConfigBuilder<ClientConfig, WantsClientCert>,
    identity: Option<Identity>,
) -> Result<ClientConfig, String> {
    match identity {
        Some((chain, key)) => builder.with_client_auth_cert(chain, key).map_err(|error| {
            format!("tls.cert_file and tls.key_file do not fit together: {error}")
        }),
        None => Ok(builder.with_no_client_auth()),
    }
}

/// Takes any certificate whose key the peer can prove to have: for those who judge it after the
/// handshake, or do not want to.
pub fn any_certificate(provider: Arc<CryptoProvider>) -> Arc<dyn ServerCertVerifier> {
    Arc::new(Verifier { provider, inner: None, name: None, accept_any: true })
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
