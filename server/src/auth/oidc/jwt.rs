//! Signed tokens (RFC 7515, 7517, 7519): RS256 and ES256, which is what identity providers use. Nothing unsigned, and
//! nothing signed with a shared secret, is ever accepted.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey};
use serde::{Deserialize, Deserializer};

/// Why a token is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum JwtError {
    /// It cannot be read.
    #[error("it cannot be read")]
    Unreadable,
    /// It is signed in a way that is not accepted.
    #[error("it is signed with `{0}`: RS256 and ES256 are accepted")]
    Algorithm(String),
    /// The provider does not publish such a key.
    #[error("its key is not one of the provider's")]
    UnknownKey,
    /// Somebody else made it, or it was changed.
    #[error("its signature is wrong")]
    Signature,
}

/// What a token says.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Claims {
    pub(super) iss: String,
    pub(super) sub: String,
    #[serde(deserialize_with = "one_or_more")]
    pub(super) aud: Vec<String>,
    pub(super) azp: Option<String>,
    /// Seconds since 1970.
    pub(super) exp: i64,
    pub(super) nonce: Option<String>,
    #[serde(flatten)]
    pub(super) more: HashMap<String, serde_json::Value>,
}

fn one_or_more<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Aud {
        One(String),
        More(Vec<String>),
    }
    Ok(match Aud::deserialize(deserializer)? {
        Aud::One(one) => vec![one],
        Aud::More(more) => more,
    })
}

/// The keys as the provider publishes them.
#[derive(Deserialize)]
pub(super) struct KeySet {
    keys: Vec<serde_json::Value>,
}

/// The keys that we can use.
#[derive(Debug, Clone)]
pub(super) struct Keys(Vec<Key>);

#[derive(Debug, Clone, Deserialize)]
struct Key {
    kid: Option<String>,
    #[serde(flatten)]
    kind: KeyKind,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "kty")]
enum KeyKind {
    #[serde(rename = "RSA")]
    Rsa { n: String, e: String },
    #[serde(rename = "EC")]
    Ec { crv: String, x: String, y: String },
}

impl From<KeySet> for Keys {
    /// Keys of other kinds are published for others.
    fn from(set: KeySet) -> Self {
        let for_signing = |key: &serde_json::Value| key.get("use").is_none_or(|usage| usage == "sig");
        let keys = set.keys.into_iter().filter(for_signing).filter_map(|key| serde_json::from_value(key).ok());
        Self(keys.collect())
    }
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
}

/// What the token says, if one of the keys has signed it.
pub(super) fn read(token: &str, keys: &Keys) -> Result<Claims, JwtError> {
    let parts: Vec<&str> = token.split('.').collect();
    let [header, claims, signature] = parts[..] else { return Err(JwtError::Unreadable) };
    let head: Header = decoded(header)?;
    let signature = bytes(signature)?;
    let signed = &token[..header.len() + 1 + claims.len()];
    let fitting = keys.0.iter().filter(|key| head.kid.is_none() || key.kid == head.kid);
    let fitting: Vec<&Key> = match head.alg.as_str() {
        "RS256" => fitting.filter(|key| matches!(key.kind, KeyKind::Rsa { .. })).collect(),
        "ES256" => fitting.filter(|key| matches!(&key.kind, KeyKind::Ec { crv, .. } if crv == "P-256")).collect(),
        _ => return Err(JwtError::Algorithm(head.alg.chars().take(20).collect())),
    };
    if fitting.is_empty() {
        return Err(JwtError::UnknownKey);
    }
    if !fitting.into_iter().any(|key| has_signed(key, signed.as_bytes(), &signature)) {
        return Err(JwtError::Signature);
    }
    decoded(claims)
}

fn has_signed(key: &Key, signed: &[u8], signature: &[u8]) -> bool {
    let verified = match &key.kind {
        KeyKind::Rsa { n, e } => {
            let (Ok(n), Ok(e)) = (bytes(n), bytes(e)) else { return false };
            RsaPublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA256, signed, signature)
        }
        KeyKind::Ec { x, y, .. } => {
            let (Ok(x), Ok(y)) = (bytes(x), bytes(y)) else { return false };
            // An uncompressed point.
            let point = [&[4_u8][..], &x, &y].concat();
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(signed, signature)
        }
    };
    verified.is_ok()
}

fn bytes(text: &str) -> Result<Vec<u8>, JwtError> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| JwtError::Unreadable)
}

fn decoded<T: serde::de::DeserializeOwned>(part: &str) -> Result<T, JwtError> {
    serde_json::from_slice(&bytes(part)?).map_err(|_| JwtError::Unreadable)
}

#[cfg(test)]
mod tests {
    use ring::rand::SystemRandom;
    use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
    use serde_json::json;

    use super::*;

    struct Signer(EcdsaKeyPair);

    impl Signer {
        fn new() -> Self {
            let random = SystemRandom::new();
            let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
            let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).unwrap();
            Self(pair)
        }

        fn keys(&self) -> Keys {
            let point = self.0.public_key().as_ref();
            let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..]));
            let set =
                json!({"keys": [{"kty": "oct", "k": "x"}, {"kty": "EC", "kid": "1", "crv": "P-256", "x": x, "y": y}]});
            serde_json::from_value::<KeySet>(set).unwrap().into()
        }

        fn token(&self, header: &serde_json::Value, claims: &serde_json::Value) -> String {
            let encode = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
            let text = format!("{}.{}", encode(header), encode(claims));
            let signature = self.0.sign(&SystemRandom::new(), text.as_bytes()).unwrap();
            format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
        }
    }

    fn claims() -> serde_json::Value {
        json!({"iss": "https://id.test", "sub": "7", "aud": "rm", "exp": 1, "groups": ["ops"]})
    }

    #[test]
    fn a_token_is_read_that_the_provider_has_signed() {
        let signer = Signer::new();
        let read = read(&signer.token(&json!({"alg": "ES256", "kid": "1"}), &claims()), &signer.keys()).unwrap();
        assert_eq!(
            (read.sub.as_str(), &read.aud[..], &read.more["groups"]),
            ("7", &["rm".to_owned()][..], &json!(["ops"]))
        );
    }

    #[test]
    fn a_token_that_somebody_else_made_is_refused() {
        let (signer, other) = (Signer::new(), Signer::new());
        let good = signer.token(&json!({"alg": "ES256"}), &claims());
        let (text, signature) = good.rsplit_once('.').unwrap();
        let changed = URL_SAFE_NO_PAD.encode(json!({"iss": "x"}).to_string());
        for (token, expected) in [
            (other.token(&json!({"alg": "ES256", "kid": "1"}), &claims()), JwtError::Signature),
            (signer.token(&json!({"alg": "ES256", "kid": "2"}), &claims()), JwtError::UnknownKey),
            (signer.token(&json!({"alg": "RS256", "kid": "1"}), &claims()), JwtError::UnknownKey),
            (signer.token(&json!({"alg": "none"}), &claims()), JwtError::Algorithm("none".to_owned())),
            (signer.token(&json!({"alg": "HS256"}), &claims()), JwtError::Algorithm("HS256".to_owned())),
            (format!("{text}."), JwtError::Signature),
            (format!("{}.{changed}.{signature}", text.split('.').next().unwrap()), JwtError::Signature),
            ("a.b".to_owned(), JwtError::Unreadable),
            (String::new(), JwtError::Unreadable),
        ] {
            assert_eq!(read(&token, &signer.keys()).err(), Some(expected), "{token}");
        }
    }
}
