//! `release-manager healthcheck`: is the server on this machine well?

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
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
use crate::config::{Settings, parsed};

/// Asks `/healthz` where `WEB_HOST` and `WEB_PORT` say; fails unless the answer is 200 within 3 seconds.
pub(super) async fn run() -> Result<(), Failure> {
    let address = address(&ProcessEnvironment)?;
    let encrypted = ProcessEnvironment.get("TLS_CERT_FILE").is_some();
    let answer = tokio::time::timeout(Duration::from_secs(3), connect(address, encrypted)).await;
    let answer = answer.map_err(|_| Failure::new("no answer within 3 s"))?.map_err(Failure::new)?;
    let status = answer.lines().next().unwrap_or_default().to_owned();
    if status.contains(" 200 ") { Ok(()) } else { Err(Failure::new(format!("the server answered `{status}`"))) }
}

/// Where the server on this machine is asked: what listens everywhere is reached by loopback, anything else only there.
fn address(settings: &dyn Settings) -> Result<SocketAddr, Failure> {
    let setting = |error: crate::config::WrongSetting| Failure::setting(error);
    let port: u16 = parsed(settings, "WEB_PORT", "8080", "a port from 1 to 65535").map_err(setting)?;
    let host: IpAddr = parsed(settings, "WEB_HOST", "0.0.0.0", "an IP address such as 127.0.0.1").map_err(setting)?;
    let host = match host {
        IpAddr::V4(host) if host.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(host) if host.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        host => host,
    };
    Ok(SocketAddr::new(host, port))
}

async fn connect(address: SocketAddr, encrypted: bool) -> std::io::Result<String> {
    let stream = TcpStream::connect(address).await?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::Fake;

    #[track_caller]
    fn check(pairs: &[(&str, &str)], expected: &str) {
        assert_eq!(address(&Fake::of(pairs)).unwrap().to_string(), expected);
    }

    #[test]
    fn a_server_is_asked_where_it_listens_and_by_loopback_where_it_listens_everywhere() {
        check(&[], "127.0.0.1:8080");
        check(&[("WEB_HOST", "0.0.0.0"), ("WEB_PORT", "81")], "127.0.0.1:81");
        check(&[("WEB_HOST", "::")], "[::1]:8080");
        check(&[("WEB_HOST", "192.168.7.2")], "192.168.7.2:8080");
        assert!(
            address(&Fake::of(&[("WEB_PORT", "x")])).unwrap_err().to_string().starts_with("WEB_PORT: `x` was read")
        );
    }
}
