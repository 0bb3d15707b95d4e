//! Mail: from a deployment of the real program to a mail server at a real socket, in the clear and with TLS.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufStream};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

use crate::program::{HOMELAB, PATIENCE, Program};

const PASSWORD: &str = "planted-mail-password";

/// How the mail server wants to be spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    Plain,
    Starttls,
    Tls,
}

/// A mail server that takes mail from whoever has logged in, and its authority.
struct MailServer {
    port: u16,
    authority: String,
    /// Each mail as it came, or what was wrong with a visitor.
    got: mpsc::UnboundedReceiver<Result<String, String>>,
}

impl MailServer {
    async fn start(manner: Manner) -> Self {
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &authority).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (told, got) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (acceptor, told) = (acceptor.clone(), told.clone());
                tokio::spawn(async move {
                    let visit = match manner {
                        Manner::Plain => converse(BufStream::new(socket), true, false).await.map(|(mail, _)| mail),
                        Manner::Tls => match acceptor.accept(socket).await {
                            Ok(stream) => converse(BufStream::new(stream), true, false).await.map(|(mail, _)| mail),
                            Err(error) => Err(error.to_string()),
                        },
                        Manner::Starttls => starttls(socket, acceptor).await,
                    };
                    // Nobody listens once the test is over.
                    let _ = told.send(visit.and_then(|mail| mail.ok_or_else(|| "it sent no mail".to_owned())));
                });
            }
        });
        Self { port, authority: authority.pem(), got }
    }

    async fn next(&mut self) -> Result<String, String> {
        tokio::time::timeout(PATIENCE, self.got.recv()).await.expect("nobody came").unwrap()
    }
}

async fn starttls(socket: tokio::net::TcpStream, acceptor: TlsAcceptor) -> Result<Option<String>, String> {
    let (_, stream) = converse(BufStream::new(socket), false, true).await?;
    let stream = acceptor.accept(stream.into_inner()).await.map_err(|error| error.to_string())?;
    // No second greeting.
    let (mail, _) = talk(BufStream::new(stream), true, false).await?;
    Ok(mail)
}

type Visit<S> = Result<(Option<String>, BufStream<S>), String>;

async fn converse<S: AsyncRead + AsyncWrite + Unpin>(mut stream: BufStream<S>, private: bool, offer: bool) -> Visit<S> {
    say(&mut stream, "220 mail.example.org ESMTP").await?;
    talk(stream, private, offer).await
}

async fn say<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut BufStream<S>, line: &str) -> Result<(), String> {
    stream.write_all(format!("{line}\r\n").as_bytes()).await.map_err(|error| error.to_string())?;
    stream.flush().await.map_err(|error| error.to_string())
}

/// Speaks SMTP until the visitor leaves, or wants TLS. A login or a mail before that is refused.
async fn talk<S: AsyncRead + AsyncWrite + Unpin>(mut stream: BufStream<S>, private: bool, offer: bool) -> Visit<S> {
    let (mut known, mut mail) = (false, None);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.map_err(|error| error.to_string())? == 0 {
            return Ok((mail, stream));
        }
        let line = line.trim_end();
        let verb = line.split(' ').next().unwrap_or_default().to_ascii_uppercase();
        match verb.as_str() {
            "EHLO" if offer => say(&mut stream, "250-mail.example.org\r\n250 STARTTLS").await?,
            "EHLO" => say(&mut stream, "250-mail.example.org\r\n250-8BITMIME\r\n250 AUTH PLAIN").await?,
            "STARTTLS" if offer => {
                say(&mut stream, "220 go ahead").await?;
                return Ok((None, stream));
            }
            "AUTH" if private => {
                known = line.split(' ').nth(2) == Some(&STANDARD.encode(format!("\0rm\0{PASSWORD}")));
                say(&mut stream, if known { "235 welcome" } else { "535 wrong password" }).await?;
            }
            "MAIL" | "RCPT" if known => say(&mut stream, "250 fine").await?,
            "DATA" if known => {
                say(&mut stream, "354 go ahead").await?;
                mail = Some(data(&mut stream).await?);
                say(&mut stream, "250 taken").await?;
            }
            "QUIT" => {
                say(&mut stream, "221 bye").await?;
                return Ok((mail, stream));
            }
            _ => return Err(format!("it said `{line}`")),
        }
    }
}

async fn data<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut BufStream<S>) -> Result<String, String> {
    let mut mail = String::new();
    while !mail.ends_with("\r\n.\r\n") {
        if stream.read_line(&mut mail).await.map_err(|error| error.to_string())? == 0 {
            return Err("it left in the middle of a mail".to_owned());
        }
    }
    Ok(mail)
}

/// The program with a mail server to tell of every deployment.
async fn serve(port: u16, security: &str, authority: Option<&str>) -> Program {
    let home = tempfile::tempdir().unwrap();
    let path = |name: &str| home.path().join(name).display().to_string();
    let file = format!(
        "[[environment]]\nname = \"preprod\"\nmode = \"auto\"\n\n[[notify]]\nkind = \"email\"\nhost = \"localhost\"\n\
         port = {port}\nsecurity = \"{security}\"\nusername = \"rm\"\npassword_file = \"{}\"\n\
         from = \"Release Manager <rm@example.org>\"\nto = [\"ops@example.org\", \"ada@example.org\"]\n",
        path("password"),
    );
    std::fs::write(path("password"), PASSWORD).unwrap();
    std::fs::write(path("release-manager.toml"), file).unwrap();
    let config = path("release-manager.toml");
    let mut settings = vec![("AUTH", "none"), ("LOG_LEVEL", "trace"), ("CONFIG_FILE", config.as_str())];
    let authorities = path("authority.pem");
    if let Some(authority) = authority {
        std::fs::write(&authorities, authority).unwrap();
        settings.push(("SSL_CERT_FILE", authorities.as_str()));
    }
    Program::start(home, &HOMELAB, &settings).await
}

async fn arrives(manner: Manner, security: &str) {
    let mut server = MailServer::start(manner).await;
    let program = serve(server.port, security, Some(&server.authority)).await;
    let mail = server.next().await.unwrap_or_else(|problem| panic!("{manner:?}: {problem}\n{}", program.log()));
    assert!(mail.contains("From: \"Release Manager\" <rm@example.org>"), "{mail}");
    assert!(mail.contains("To: ops@example.org, ada@example.org"), "{mail}");
    assert!(mail.contains("Subject: ") && mail.contains("preprod"), "{mail}");
    assert!(!program.log().contains(PASSWORD), "the password stands in the log");
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_arrives_by_tls_from_the_first_byte() {
    arrives(Manner::Tls, "tls").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_arrives_by_tls_after_the_greeting() {
    arrives(Manner::Starttls, "starttls").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_arrives_at_a_server_of_this_machine_in_the_clear() {
    arrives(Manner::Plain, "none").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_told_to_a_server_that_cannot_prove_who_it_is_or_speaks_no_tls() {
    for (manner, security) in [(Manner::Tls, "tls"), (Manner::Starttls, "starttls"), (Manner::Plain, "starttls")] {
        let mut server = MailServer::start(manner).await;
        let program = serve(server.port, security, None).await;
        let visit = server.next().await;
        assert!(visit.is_err(), "{manner:?} {security}: it got {visit:?}");
        assert!(!program.log().contains(PASSWORD), "the password stands in the log");
    }
}
