//! The options of TLS towards others, and the files they name.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use serde::{Deserialize, Serialize};

/// TLS towards a target.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TlsClient {
    /// Authorities to trust (PEM) instead of the machine's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// Our certificate (PEM), if the target asks for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cert_file: Option<PathBuf>,
    /// The key of our certificate (PEM).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_file: Option<PathBuf>,
    /// The name that the target's certificate must be for, if it is not the host's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_name: Option<String>,
    /// Accepts any certificate. Whoever sits in between can then read and change everything.
    pub insecure_skip_verify: bool,
}

/// Our certificate with its chain, and its key.
pub type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

impl TlsClient {
    /// The authorities to trust: the file's, or else the machine's together with Mozilla's.
    /// Reads files; the machine's authorities are about a megabyte, so keep what is read.
    ///
    /// # Errors
    ///
    /// What is wrong with `ca_file`.
    pub fn roots(&self) -> Result<RootCertStore, String> {
        let mut roots = RootCertStore::empty();
        match &self.ca_file {
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

    /// What tells whether a chain leads to `roots`; none when there are none.
    ///
    /// # Errors
    ///
    /// What rustls has against the authorities.
    pub fn verifier_of(
        &self,
        roots: Arc<RootCertStore>,
    ) -> Result<Option<Arc<WebPkiServerVerifier>>, String> {
        if roots.is_empty() {
            return Ok(None);
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        WebPkiServerVerifier::builder_with_provider(roots, provider)
            .build()
            .map(Some)
            .map_err(|error| format!("tls.ca_file: {error}"))
    }

    /// The verifier of the machine's authorities, as they were when it was first asked for: the
    /// same for everybody, as it takes a tenth of a megabyte and tens of milliseconds to make.
    ///
    /// # Errors
    ///
    /// That rustls can do nothing with them.
    pub fn machines_verifier() -> Result<Arc<WebPkiServerVerifier>, String> {
        // Not state: what the machine's files say, read once.
        static MACHINES: OnceLock<Arc<WebPkiServerVerifier>> = OnceLock::new();
        if let Some(verifier) = MACHINES.get() {
            return Ok(Arc::clone(verifier));
        }
        let all = TlsClient::default();
        let made = all.verifier_of(Arc::new(all.roots()?))?;
        let made = made.ok_or("no certificate authority is known on this machine")?;
        Ok(Arc::clone(MACHINES.get_or_init(|| made)))
    }

    /// Our certificate with its key, if the target may ask for one. Reads files.
    ///
    /// # Errors
    ///
    /// Which file cannot be read, or that one is named without the other.
    pub fn identity(&self) -> Result<Option<Identity>, String> {
        match (&self.cert_file, &self.key_file) {
            (Some(cert), Some(key)) => {
                let chain = CertificateDer::pem_file_iter(cert)
                    .and_then(Iterator::collect::<Result<Vec<_>, _>>)
                    .map_err(|error| {
                        format!("cannot read tls.cert_file {}: {error}", cert.display())
                    })?;
                let key = PrivateKeyDer::from_pem_file(key).map_err(|error| {
                    format!("cannot read tls.key_file {}: {error}", key.display())
                })?;
                Ok(Some((chain, key)))
            }
            (None, None) => Ok(None),
            _ => Err("tls.cert_file and tls.key_file are only of use together".to_owned()),
        }
    }

    /// The name that the certificate must be for, if it is not the host's.
    ///
    /// # Errors
    ///
    /// That `server_name` is no host name.
    pub fn name(&self) -> Result<Option<ServerName<'static>>, String> {
        match &self.server_name {
            Some(name) => ServerName::try_from(name.clone())
                .map(Some)
                .map_err(|_| format!("tls.server_name {name:?} is not a host name")),
            None => Ok(None),
        }
    }
}
