//! Whom GitHub's adapter believes to be GitHub.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::thread;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use release_manager::ports::{Source as _, SourceError};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, Stream};
use server::source::{GitHub, GitHubSettings, InvalidGitHub};

/// A host for one connection, with a certificate by an authority of its own.
struct Host {
    url: String,
    authority: String,
}

fn host(change: impl FnOnce(&mut CertificateParams)) -> Host {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, &authority).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
        .unwrap();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
    thread::spawn(move || answer_once(&listener, config));
    Host { url, authority: authority.pem() }
}

/// What goes wrong here is seen by the client.
fn answer_once(listener: &TcpListener, config: ServerConfig) {
    let (mut socket, _) = listener.accept().unwrap();
    let mut connection = ServerConnection::new(Arc::new(config)).unwrap();
    let mut stream = Stream::new(&mut connection, &mut socket);
    if stream.read(&mut [0; 4096]).is_ok() {
        let head = "HTTP/1.1 422 Unprocessable Entity\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
        let _ = stream.write_all(head.as_bytes());
    }
}

async fn head(host: &Host, authority: Option<&str>) -> SourceError {
    let settings = GitHubSettings {
        api_url: host.url.parse().unwrap(),
        token: Some("ghp_secret".into()),
        authority: authority.map(|pem| pem.as_bytes().to_owned()),
        ..GitHubSettings::new("me/homelab".parse().unwrap(), "main".parse().unwrap())
    };
    GitHub::new(settings).unwrap().head().await.unwrap_err()
}

#[tokio::test]
async fn a_private_authority_is_believed_when_it_is_given() {
    let host = host(|_| ());
    let error = head(&host, Some(&host.authority)).await;
    assert!(matches!(error, SourceError::Missing { .. }), "{error}");
}

#[tokio::test]
async fn a_certificate_that_proves_nothing_is_refused() {
    let stranger = host(|_| ());
    let expired = host(|params| params.not_after = date_time_ymd(2020, 1, 1));
    let other_name = host(|params| *params = CertificateParams::new(vec!["git.example.org".to_owned()]).unwrap());
    for (host, authority, expected) in [
        (&stranger, None, "UnknownIssuer"),
        (&expired, Some(expired.authority.as_str()), "expired"),
        (&other_name, Some(other_name.authority.as_str()), "not valid for name"),
    ] {
        let error = head(host, authority).await;
        assert!(matches!(error, SourceError::Unreachable { .. }), "{error}");
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn a_file_without_a_certificate_is_refused() {
    for pem in ["", "not a certificate", "-----BEGIN CERTIFICATE-----\n???\n-----END CERTIFICATE-----\n"] {
        let mut settings = GitHubSettings::new("me/homelab".parse().unwrap(), "main".parse().unwrap());
        settings.authority = Some(pem.as_bytes().to_owned());
        assert!(matches!(GitHub::new(settings), Err(InvalidGitHub::Tls(_))), "{pem}");
    }
}
