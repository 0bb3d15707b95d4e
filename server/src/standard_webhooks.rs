//! Signatures of webhooks: plain HMAC-SHA256, and the scheme of Standard Webhooks 1.0, for what comes in and what goes out.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// An HMAC-SHA256 over the parts, one after the other; to be compared or finished by the caller.
pub(crate) fn mac(key: &[u8], parts: &[&[u8]]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap_or_else(|_| unreachable!("a key of any length will do"));
    for part in parts {
        mac.update(part);
    }
    mac
}

/// The header `webhook-signature` for a message that we send.
pub(crate) fn sign(secret: &SecretString, id: &str, sent_at: i64, body: &[u8]) -> String {
    let mac = signed(secret, id, &sent_at.to_string(), body);
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

/// Senders that change their secret sign with the old one too; nobody has a use for more than this many signatures.
const SIGNATURES: usize = 8;

/// Whether one of the first [`SIGNATURES`] in the header is right, compared in constant time. The body is hashed once,
/// however many there are.
pub(crate) fn verify(secret: &SecretString, id: &str, sent_at: &str, body: &[u8], signatures: &str) -> bool {
    let right = signed(secret, id, sent_at, body).finalize().into_bytes();
    let known = signatures.split(' ').take(SIGNATURES);
    let mut known = known.filter_map(|signature| STANDARD.decode(signature.strip_prefix("v1,")?).ok());
    known.any(|signature| right.ct_eq(&signature).into())
}

/// What is signed is `id.timestamp.body`; a secret that begins with `whsec_` holds its key in base64.
fn signed(secret: &SecretString, id: &str, sent_at: &str, body: &[u8]) -> Hmac<Sha256> {
    let raw = secret.expose_secret();
    let decoded = raw.strip_prefix("whsec_").and_then(|key| STANDARD.decode(key).ok());
    let key = decoded.unwrap_or_else(|| raw.as_bytes().to_vec());
    mac(&key, &[id.as_bytes(), b".", sent_at.as_bytes(), b".", body])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_specification_is_signed_and_verified() {
        let secret = SecretString::from("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let (id, body) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", br#"{"test": 2432232314}"#);
        let expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(sign(&secret, id, 1_614_265_330, body), expected);
        assert!(verify(&secret, id, "1614265330", body, &format!("v1,AAAA {expected}")));
        assert!(!verify(&secret, id, "1614265331", body, expected));
        assert!(!verify(&secret, id, "1614265330", b"{}", expected));
        let ninth = "v1,AAAA ".repeat(8) + expected;
        assert!(!verify(&secret, id, "1614265330", body, &ninth), "nobody signs that often");
    }
}
