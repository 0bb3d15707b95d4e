//! NL-6: secrets that every world is given, and where they must never be found again.

use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, Once};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A password for the registry that every image comes from: it goes to the Engine with each service.
pub(super) const REGISTRY: &str = "planted-registry-password";
/// What the forge signs its webhooks with.
pub(super) const WEBHOOK: &str = "planted-webhook-secret";
/// What every secret of a stack begins with. The database keeps those for the way back; nobody else is told.
pub(super) const ENTRUSTED: &str = "entrusted-";

/// What has been logged, since somebody looked last.
static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Log;

impl Write for Log {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        LOG.lock().unwrap_or_else(std::sync::PoisonError::into_inner).extend_from_slice(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Keeps what this process logs from now on.
pub(super) fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let log = tracing_subscriber::fmt().with_max_level(tracing::Level::INFO).with_writer(|| Log);
        // Another test of the same process may have been first: then it is that one's log.
        let _ = log.with_ansi(false).try_init();
    });
}

/// The credentials, as `docker login` leaves them.
pub(super) fn write_login(directory: &Path) {
    let login = STANDARD.encode(format!("someone:{REGISTRY}"));
    let config = serde_json::json!({"auths": {"https://index.docker.io/v1/": {"auth": login}}});
    std::fs::write(directory.join("config.json"), config.to_string()).unwrap();
}

/// Whether a secret stands in a text, plainly or in base64 wherever it begins in what was encoded.
fn stands_in(text: &[u8], secret: &str) -> bool {
    // The search of `str` is built with optimizations, and files are large.
    let text = String::from_utf8_lossy(text);
    let encoded = (0..3).map(|offset| {
        let all = STANDARD.encode([vec![b' '; offset], secret.as_bytes().to_vec()].concat());
        // The signs at both ends hold bits of the neighbours too.
        all.trim_end_matches('=')[if offset == 0 { 0 } else { offset + 1 }..].to_owned()
    });
    text.contains(secret) || encoded.into_iter().any(|encoded| text.contains(&encoded[..encoded.len() - 1]))
}

/// Fails where one of them stands in what somebody is told.
pub(super) fn is_not_told(place: &str, text: &[u8]) {
    for secret in [REGISTRY, WEBHOOK, ENTRUSTED] {
        assert!(!stands_in(text, secret), "NL-6: `{secret}` stands in {place}");
    }
}

/// Fails where one of them stands in a file below a directory, or in the log.
pub(super) fn is_in_no_file(directory: &Path) {
    for file in std::fs::read_dir(directory).unwrap() {
        let path = file.unwrap().path();
        let Ok(bytes) = std::fs::read(&path) else { continue };
        for secret in [REGISTRY, WEBHOOK] {
            assert!(!stands_in(&bytes, secret), "NL-6: `{secret}` stands in {}", path.display());
        }
    }
    let log = std::mem::take(&mut *LOG.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
    is_not_told("the log", &log);
}

#[test]
fn a_secret_is_found_plainly_and_in_base64() {
    assert!(stands_in(format!("x{REGISTRY}y").as_bytes(), REGISTRY));
    for before in ["", "a", "ab", "abc"] {
        assert!(stands_in(STANDARD.encode(format!("{before}{REGISTRY}after")).as_bytes(), REGISTRY), "{before}");
    }
    assert!(!stands_in(b"planted-registry", REGISTRY));
}
