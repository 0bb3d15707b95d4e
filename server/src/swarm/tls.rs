//! An Engine behind TCP with TLS: who it is proves an authority, who we are a certificate of ours.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tower::Service;

use super::line::Line;

/// Why the certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum EngineTlsError {
    /// A file is not what it should be.
    #[error("`{}` {problem}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The key does not belong to the certificate, or is of a kind that is not known.
    #[error("`cert.pem` and `key.pem` in `{}` cannot be used together: {problem}", directory.display())]
    Pair {
        /// Where they are.
        directory: PathBuf,
        /// What is wrong with them.
        problem: String,
    },
}

/// What proves an Engine and us to each other.
#[derive(Clone)]
pub struct EngineTls(Arc<ClientConfig>);

impl std::fmt::Debug for EngineTls {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // It holds our key.
        formatter.write_str("EngineTls")
    }
}

impl EngineTls {
    /// Reads `ca.pem`, `cert.pem` and `key.pem`, as the docker command has them.
    pub fn in_directory(directory: &Path) -> Result<Self, EngineTlsError> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(&directory.join("ca.pem"))? {
            roots.add(certificate).map_err(|error| wrong(&directory.join("ca.pem"), &error))?;
        }
        let chain = certificates(&directory.join("cert.pem"))?;
        let key = directory.join("key.pem");
        let key = PrivateKeyDer::from_pem_slice(&read(&key)?).map_err(|error| wrong(&key, &error))?;
        let pair = |error: &dyn std::fmt::Display| EngineTlsError::Pair {
            directory: directory.to_owned(),
            problem: error.to_string(),
        };
        let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| pair(&error))?;
        let config = builder.with_root_certificates(roots).with_client_auth_cert(chain, key);
        Ok(Self(Arc::new(config.map_err(|error| pair(&error))?)))
    }
}

fn wrong(file: &Path, problem: &dyn std::fmt::Display) -> EngineTlsError {
    EngineTlsError::File { file: file.to_owned(), problem: format!("cannot be used: {problem}") }
}

fn read(file: &Path) -> Result<Vec<u8>, EngineTlsError> {
    fs::read(file)
        .map_err(|error| EngineTlsError::File { file: file.to_owned(), problem: format!("cannot be read: {error}") })
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, EngineTlsError> {
    let pem = read(file)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match found {
        Ok(found) if found.is_empty() => Err(wrong(file, &"it holds no certificate")),
        Ok(found) => Ok(found),
        Err(error) => Err(wrong(file, &error)),
    }
}

/// Connects by TCP, and proves both ends.
#[derive(Clone)]
pub(super) struct TlsConnector {
    pub(super) tcp: HttpConnector,
    pub(super) tls: EngineTls,
}

impl Service<Uri> for TlsConnector {
    type Response = Line<TlsStream<TcpStream>>;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Self::Response>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.tcp.poll_ready(context).map_err(io::Error::other)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let connecting = self.tcp.call(uri);
        let connector = tokio_rustls::TlsConnector::from(Arc::clone(&self.tls.0));
        Box::pin(async move {
            let name = ServerName::try_from(host).map_err(io::Error::other)?;
            let stream = TokioIo::into_inner(connecting.await.map_err(io::Error::other)?);
            Ok(Line::new(connector.connect(name, stream).await?))
        })
    }
}
