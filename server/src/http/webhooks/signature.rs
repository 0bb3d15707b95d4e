//! How each git host proves that a webhook comes from it. All proofs are over the very bytes of the body, compared in
//! constant time, and checked before anything is parsed.

use std::str::FromStr;

use hmac::Mac as _;
use http::HeaderMap;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::standard_webhooks::{self, mac};

/// A kind of git host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Forge {
    /// `X-Hub-Signature-256: sha256=HEX` (GitHub, "Validating webhook deliveries").
    GitHub,
    /// `X-Gitlab-Token: SECRET`, or the signature of Standard Webhooks.
    GitLab,
    /// `X-Gitea-Signature: HEX`.
    Gitea,
    /// `X-Forgejo-Signature: HEX`, from older versions `X-Gitea-Signature`.
    Forgejo,
}

impl FromStr for Forge {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        [Self::GitHub, Self::GitLab, Self::Gitea, Self::Forgejo]
            .into_iter()
            .find(|forge| forge.as_str() == name)
            .ok_or(())
    }
}

impl Forge {
    /// Its name in the path.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::GitHub => "github",
            Self::GitLab => "gitlab",
            Self::Gitea => "gitea",
            Self::Forgejo => "forgejo",
        }
    }

    /// Whether the sender knows the secret; else what is wrong, in words that help whoever set it up.
    pub(super) fn verify(self, secret: &SecretString, headers: &HeaderMap, body: &[u8]) -> Result<(), &'static str> {
        let key = secret.expose_secret().as_bytes();
        match self {
            Self::GitHub => {
                let signature = one(headers, "x-hub-signature-256")?
                    .ok_or("the header X-Hub-Signature-256 is missing: give the webhook a secret")?;
                let hex =
                    signature.strip_prefix("sha256=").ok_or("X-Hub-Signature-256 does not begin with `sha256=`")?;
                check_hex(key, body, hex)
            }
            Self::Gitea => {
                let signature = one(headers, "x-gitea-signature")?
                    .ok_or("the header X-Gitea-Signature is missing: give the webhook a secret")?;
                check_hex(key, body, signature)
            }
            Self::Forgejo => {
                // A wrong signature of its own is not made good by a right one under the older name.
                let own = one(headers, "x-forgejo-signature")?;
                let signature = own.map_or_else(|| one(headers, "x-gitea-signature"), |own| Ok(Some(own)))?;
                check_hex(
                    key,
                    body,
                    signature.ok_or("the header X-Forgejo-Signature is missing: give the webhook a secret")?,
                )
            }
            Self::GitLab => {
                if let Some(signatures) = one(headers, "webhook-signature")? {
                    return check_standard(secret, headers, body, signatures);
                }
                let token = one(headers, "x-gitlab-token")?
                    .ok_or("the header X-Gitlab-Token is missing: give the webhook a secret token")?;
                let same = Sha256::digest(token.as_bytes()).ct_eq(&Sha256::digest(key));
                bool::from(same).then_some(()).ok_or("X-Gitlab-Token is not the secret that is set here")
            }
        }
    }
}

/// The one value of a header. Two are a sign of somebody who tries.
fn one<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, &'static str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| "the signature is not text"),
        (Some(_), Some(_)) => Err("there are two signatures"),
    }
}

fn check_hex(key: &[u8], body: &[u8], hex: &str) -> Result<(), &'static str> {
    let bytes = unhex(hex).ok_or("the signature is not 64 lower-case hex digits")?;
    mac(key, &[body])
        .verify_slice(&bytes)
        .map_err(|_| "the signature does not match: is it the secret that is set here?")
}

fn check_standard(
    secret: &SecretString,
    headers: &HeaderMap,
    body: &[u8],
    signatures: &str,
) -> Result<(), &'static str> {
    let id = one(headers, "webhook-id")?.ok_or("the header webhook-id is missing")?;
    let sent_at = one(headers, "webhook-timestamp")?.ok_or("the header webhook-timestamp is missing")?;
    standard_webhooks::verify(secret, id, sent_at, body, signatures)
        .then_some(())
        .ok_or("no signature matches: is it the secret that is set here?")
}

fn unhex(hex: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    if hex.len() != 64 {
        return None;
    }
    hex.as_bytes().chunks(2).map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of GitHub's documentation.
    const SECRET: &str = "It's a Secret to Everybody";
    const BODY: &[u8] = b"Hello, World!";
    const HEX: &str = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

    fn verify(forge: Forge, pairs: &[(&str, &str)], body: &[u8]) -> Result<(), &'static str> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(http::HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
        }
        forge.verify(&SecretString::from(SECRET), &headers, body)
    }

    #[test]
    fn the_hosts_own_example_is_accepted_and_no_other_byte_is() {
        let signature = format!("sha256={HEX}");
        assert_eq!(verify(Forge::GitHub, &[("x-hub-signature-256", &signature)], BODY), Ok(()));
        for at in 0..BODY.len() {
            let mut changed = BODY.to_vec();
            changed[at] ^= 1;
            assert!(verify(Forge::GitHub, &[("x-hub-signature-256", &signature)], &changed).is_err());
        }
        for at in 0..HEX.len() {
            let mut changed = HEX.to_owned().into_bytes();
            changed[at] = if changed[at] == b'0' { b'1' } else { b'0' };
            let changed = format!("sha256={}", String::from_utf8(changed).unwrap());
            assert!(verify(Forge::GitHub, &[("x-hub-signature-256", &changed)], BODY).is_err());
        }
    }

    #[test]
    fn a_signature_that_is_missing_old_doubled_or_in_another_form_is_refused() {
        let check = |forge, pairs: &[(&str, &str)]| assert!(verify(forge, pairs, BODY).is_err(), "{forge:?} {pairs:?}");
        check(Forge::GitHub, &[]);
        check(Forge::GitHub, &[("x-hub-signature", "sha1=01dc10d0c83e72ed246219cdd91669667fe2ca59")]);
        check(Forge::GitHub, &[("x-hub-signature-256", HEX)]);
        check(Forge::GitHub, &[("x-hub-signature-256", &format!("sha256={}", HEX.to_uppercase()))]);
        let right = format!("sha256={HEX}");
        check(Forge::GitHub, &[("x-hub-signature-256", &right), ("x-hub-signature-256", &right)]);
        check(Forge::Gitea, &[("x-hub-signature-256", &right)]);
        check(Forge::GitLab, &[("x-gitlab-token", "It's a secret to everybody")]);
    }

    #[test]
    fn each_host_is_understood() {
        assert_eq!(verify(Forge::Gitea, &[("x-gitea-signature", HEX)], BODY), Ok(()));
        assert_eq!(verify(Forge::Forgejo, &[("x-forgejo-signature", HEX)], BODY), Ok(()));
        assert_eq!(verify(Forge::Forgejo, &[("x-gitea-signature", HEX)], BODY), Ok(()));
        assert_eq!(verify(Forge::GitLab, &[("x-gitlab-token", SECRET)], BODY), Ok(()));
    }

    #[test]
    fn a_wrong_signature_of_forgejo_is_not_rescued_by_a_right_one_of_gitea() {
        let wrong = HEX.replace('7', "8");
        let pairs = [("x-forgejo-signature", wrong.as_str()), ("x-gitea-signature", HEX)];
        assert!(verify(Forge::Forgejo, &pairs, BODY).is_err());
    }

    #[test]
    fn standard_webhooks_are_understood() {
        let secret = SecretString::from("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let headers = HeaderMap::from_iter(
            [
                ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
                ("webhook-timestamp", "1614265330"),
                ("webhook-signature", "v1,AAAA v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
            ]
            .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap())),
        );
        let body = br#"{"test": 2432232314}"#;
        assert_eq!(Forge::GitLab.verify(&secret, &headers, body), Ok(()));
        assert!(Forge::GitLab.verify(&secret, &headers, b"{}").is_err());
    }
}
