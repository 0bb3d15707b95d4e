//! How a host proves who it is: by the machine's roots, and by the roots of a private authority where one is given.

use std::sync::Arc;

use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;

/// Why no connection can be made that proves the other end.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The private authority's file.
    #[error("the file of the private certificate authority holds no certificate that can be read (PEM): {0}")]
    Authority(String),
    /// The machine's own roots.
    #[error("no certificate authorities were found on this machine ({0}): install the package `ca-certificates`")]
    Roots(#[source] rustls::Error),
}

/// The settings of a client that trusts the machine's roots and those in `authority`, and nothing else.
pub(crate) fn client_config(authority: Option<&[u8]>) -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier: Arc<dyn ServerCertVerifier> = match authority {
        None => Arc::new(Verifier::new(Arc::clone(&provider)).map_err(TlsError::Roots)?),
        Some(pem) => {
            let roots = certificates(pem)?;
            Arc::new(Verifier::new_with_extra_roots(roots, Arc::clone(&provider)).map_err(TlsError::Roots)?)
        }
    };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Roots)?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// The settings of a client that speaks plain HTTP only: it trusts nobody.
pub(crate) fn no_client_config() -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Ok(builder.map_err(TlsError::Roots)?.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
}

/// Whether that is the file of an authority.
pub(crate) fn check_authority(pem: &[u8]) -> Result<(), TlsError> {
    certificates(pem).map(drop)
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|error| TlsError::Authority(error.to_string()))?;
    if certificates.is_empty() {
        return Err(TlsError::Authority("it is empty".to_owned()));
    }
    Ok(certificates)
}
