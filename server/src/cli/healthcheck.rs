//! `release-manager healthcheck`: is the server on this machine well?

use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::Failure;
use super::serve::ProcessEnvironment;
use crate::config::Settings;

/// Asks `/healthz` on the port of `WEB_PORT`; fails unless the answer is 200 within 3 seconds.
pub(super) async fn run() -> Result<(), Failure> {
    let port = ProcessEnvironment.get("WEB_PORT").unwrap_or_else(|| "8080".to_owned());
    let port: u16 = port.parse().map_err(|_| Failure::setting(format!("WEB_PORT: `{port}` is no port")))?;
    let encrypted = ProcessEnvironment.get("TLS_CERT_FILE").is_some();
    let answer = tokio::time::timeout(Duration::from_secs(3), connect(port, encrypted)).await;
    let answer = answer.map_err(|_| Failure::new("no answer within 3 s"))?.map_err(Failure::new)?;
    let status = answer.lines().next().unwrap_or_default().to_owned();
    if status.contains(" 200 ") { Ok(()) } else { Err(Failure::new(format!("the server answered `{status}`"))) }
}

async fn connect(port: u16, encrypted: bool) -> std::io::Result<String> {
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    if !encrypted {
        return ask(stream).await;
    }
    let provider = Arc::new(ring::default_provider());
    let verifier = Arc::new(AnyCertificate(Arc::clone(&provider)));
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(std::io::Error::other)?;
    let config = builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
    let name = ServerName::try_from("localhost").map_err(std::io::Error::other)?;
    ask(TlsConnector::from(Arc::new(config)).connect(name, stream).await?).await
}

async fn ask(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> std::io::Result<String> {
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await?;
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer).await {
        // The answer is whole, only the farewell of TLS is missing.
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof && !answer.is_empty() => (),
        read => {
            read?;
        }
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Takes whatever certificate the server shows: it is made out to the public name, this machine is asked by loopback,
/// and nothing is sent that others may not see.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
