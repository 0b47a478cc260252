//! Certificates: loading them, and replacing them while connections run.

use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::config::Tls;

/// Reads the certificate and key that the settings name; `None` where they name none. The error
/// names the key of the setting, the file and the reason.
pub fn load_tls(tls: &Tls) -> Result<Option<Arc<ServerConfig>>, String> {
    if !tls.enabled() {
        return Ok(None);
    }
    let chain = read_chain(&tls.cert)
        .map_err(|reason| format!("cannot use tls.cert {}: {reason}", tls.cert.display()))?;
    let key = PrivateKeyDer::from_pem_file(&tls.key)
        .map_err(|reason| format!("cannot use tls.key {}: {reason}", tls.key.display()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|reason| {
            format!(
                "tls.cert {} and tls.key {} cannot be used together: {reason}",
                tls.cert.display(),
                tls.key.display()
            )
        })?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Some(Arc::new(config)))
}

fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let chain = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| error.to_string())?;
    if chain.is_empty() {
        return Err("the file holds no certificate in PEM form".to_owned());
    }
    Ok(chain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_the_setting_and_the_file() {
        let directory = tempfile::tempdir().expect("a directory");
        let empty = directory.path().join("empty.pem");
        std::fs::write(&empty, "").expect("written");
        let tls = Tls { cert: empty.clone(), key: empty };
        let error = load_tls(&tls).expect_err("no certificate");
        assert!(
            error.starts_with("cannot use tls.cert ") && error.contains("empty.pem"),
            "{error}"
        );
        assert!(load_tls(&Tls::default()).expect("off").is_none());
    }
}
