//! Where the Engine is: what `DOCKER_HOST` says, parsed.

use std::path::Path;
use std::sync::Arc;

use super::tls::EngineTls;

/// A `DOCKER_HOST` that nothing can be connected to.
#[derive(Debug, thiserror::Error)]
#[error("`{found}` is no Docker host: {why}; use `unix:///path/to/docker.sock` or `tcp://host:port`")]
pub struct InvalidDockerHost {
    /// What was given.
    pub found: String,
    /// What is wrong with it.
    pub why: &'static str,
}

/// The address behind a `DOCKER_HOST`.
#[derive(Debug, Clone)]
pub(super) enum Endpoint {
    /// A socket in the file system.
    Unix(Arc<Path>),
    /// `host:port`, spoken to in plain HTTP.
    Tcp(String),
    /// The same with TLS.
    Tls(String, EngineTls),
}

impl Endpoint {
    pub(super) fn parse(host: &str) -> Result<Self, InvalidDockerHost> {
        let invalid = |why| InvalidDockerHost { found: host.to_owned(), why };
        let (scheme, rest) = host.split_once("://").ok_or_else(|| invalid("it has no `unix://` or `tcp://`"))?;
        match scheme {
            "unix" if rest.starts_with('/') => Ok(Self::Unix(Path::new(rest).into())),
            "unix" => Err(invalid("the path of its socket is not absolute")),
            "tcp" | "http" => authority(rest).map(Self::Tcp).map_err(invalid),
            "https" => {
                Err(invalid("for TLS write `tcp://`, and name the directory of the certificates in DOCKER_CERT_PATH"))
            }
            "ssh" => Err(invalid("connections through SSH are not supported")),
            _ => Err(invalid("its scheme is unknown")),
        }
    }

    /// The same with TLS, which only TCP takes.
    pub(super) fn with_tls(self, host: &str, tls: EngineTls) -> Result<Self, InvalidDockerHost> {
        match self {
            Self::Tcp(authority) => Ok(Self::Tls(authority, tls)),
            Self::Unix(_) | Self::Tls(..) => {
                Err(InvalidDockerHost { found: host.to_owned(), why: "only `tcp://` takes certificates" })
            }
        }
    }

    /// What the URIs of requests begin with. Over a Unix socket HTTP wants a host all the same.
    pub(super) fn base(&self) -> String {
        match self {
            Self::Unix(_) => "http://docker".to_owned(),
            Self::Tcp(authority) => format!("http://{authority}"),
            Self::Tls(authority, _) => format!("https://{authority}"),
        }
    }
}

fn authority(rest: &str) -> Result<String, &'static str> {
    let rest = rest.trim_end_matches('/');
    let parsed: http::uri::Authority = rest.parse().map_err(|_| "it does not name a host and a port")?;
    match parsed.port_u16() {
        Some(_) if !rest.contains('@') => Ok(rest.to_owned()),
        Some(_) => Err("it must not carry credentials"),
        None => Err("it names no port"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(host: &str, expected: &str) {
        let found = match Endpoint::parse(host) {
            Ok(endpoint) => format!("{endpoint:?}"),
            Err(error) => error.why.to_owned(),
        };
        assert_eq!(found, expected, "{host}");
    }

    #[test]
    fn sockets_and_plain_tcp_are_understood() {
        check("unix:///var/run/docker.sock", r#"Unix("/var/run/docker.sock")"#);
        check("tcp://127.0.0.1:2375", r#"Tcp("127.0.0.1:2375")"#);
        check("tcp://[::1]:2375/", r#"Tcp("[::1]:2375")"#);
        check("http://proxy:2375", r#"Tcp("proxy:2375")"#);
    }

    #[test]
    fn anything_else_says_why_not() {
        check("/var/run/docker.sock", "it has no `unix://` or `tcp://`");
        check("unix://docker.sock", "the path of its socket is not absolute");
        check("tcp://manager", "it names no port");
        check("tcp://me:secret@manager:2375", "it must not carry credentials");
        check("tcp://", "it does not name a host and a port");
        check(
            "https://manager:2376",
            "for TLS write `tcp://`, and name the directory of the certificates in DOCKER_CERT_PATH",
        );
        check("ssh://manager", "connections through SSH are not supported");
        check("npipe:////./pipe/docker_engine", "its scheme is unknown");
    }
}
