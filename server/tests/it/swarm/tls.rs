//! An Engine behind TCP with TLS, that wants to know who asks.

use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use release_manager::ports::{Swarm as _, SwarmError};
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use server::swarm::{DockerSwarm, EngineTls};
use tempfile::TempDir;
use tokio::net::{TcpListener, UnixStream};
use tokio_rustls::TlsAcceptor;

use crate::engines::{self, Simulated};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// `ca.pem`, `cert.pem` and `key.pem` for who believes in one authority and is known to another.
fn certificates(believes: &Authority, known_to: &Authority) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["client".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, known_to).unwrap();
    let write = |name: &str, pem: String| std::fs::write(directory.path().join(name), pem).unwrap();
    write("ca.pem", believes.pem());
    write("cert.pem", certificate.pem());
    write("key.pem", key.serialize_pem());
    directory
}

/// A simulated Engine behind TLS. Returns its address.
async fn engine(authority: &Authority) -> (Simulated, String) {
    let engine = engines::simulated().await;
    let socket = engine.host().strip_prefix("unix://").unwrap().to_owned();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(authority.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build().unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(clients)
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("tcp://localhost:{}", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (acceptor, socket) = (acceptor.clone(), socket.clone());
            tokio::spawn(async move {
                // A visitor who proves nothing is none.
                let Ok(mut client) = acceptor.accept(client).await else { return };
                let mut engine = UnixStream::connect(&socket).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut client, &mut engine).await;
            });
        }
    });
    (engine, address)
}

fn swarm(address: &str, directory: &Path) -> DockerSwarm {
    DockerSwarm::connect_tls(address, EngineTls::in_directory(directory).unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_is_reached_by_who_proves_it_and_is_proved_to() {
    let known = authority();
    let (_engine, address) = engine(&known).await;
    let ours = certificates(&known, &known);
    let swarm = swarm(&address, ours.path());
    assert!(swarm.check().await.unwrap().contains(&address));
    let stack = "lab".parse().unwrap();
    assert!(swarm.live(&stack).await.unwrap().services.is_empty());
    assert!(swarm.changes().await.is_ok(), "what goes on is told by the same way");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_is_believed_on_either_side() {
    let (known, stranger) = (authority(), authority());
    let (_engine, address) = engine(&known).await;
    let refused = async |believes, known_to| {
        let directory = certificates(believes, known_to);
        let error = swarm(&address, directory.path()).check().await.unwrap_err();
        let SwarmError::Unreachable { detail, .. } = &error else { panic!("{error:?}") };
        detail.clone()
    };
    let wrong_authority = refused(&stranger, &known).await;
    assert!(wrong_authority.contains("ca.pem"), "{wrong_authority}");
    let unknown_to_it = refused(&known, &stranger).await;
    assert!(unknown_to_it.contains("cert.pem"), "{unknown_to_it}");
    let plain = DockerSwarm::connect(&address).unwrap().check().await.unwrap_err();
    assert!(matches!(plain, SwarmError::Unreachable { .. }), "{plain:?}");
}

#[test]
fn certificates_that_cannot_be_used_are_named() {
    let known = authority();
    for (file, content, words) in [
        ("ca.pem", None, "`ca.pem` cannot be read"),
        ("cert.pem", Some("nothing"), "`cert.pem` cannot be used: it holds no certificate"),
        ("key.pem", Some("nothing"), "`key.pem` cannot be used"),
        ("key.pem", Some(KeyPair::generate().unwrap().serialize_pem().as_str()), "cannot be used together"),
    ] {
        let directory = certificates(&known, &known);
        let path = directory.path().join(file);
        match content {
            Some(content) => std::fs::write(&path, content).unwrap(),
            None => std::fs::remove_file(&path).unwrap(),
        }
        let problem = EngineTls::in_directory(directory.path()).err().unwrap().to_string();
        let shown = problem.replace(&format!("{}/", directory.path().display()), "");
        assert!(shown.contains(words), "{problem}");
    }
}
