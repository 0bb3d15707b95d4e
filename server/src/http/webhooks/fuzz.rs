//! Webhooks of any form: none makes us look without the secret, and none that has it does harm.

use hmac::Mac as _;
use http::HeaderName;
use proptest::prelude::*;

use super::*;
use crate::standard_webhooks::mac;

const SECRET: &str = "a secret that nobody guesses";
const FORGES: [&str; 5] = ["github", "gitlab", "gitea", "forgejo", "somewhere"];
const HEADERS: [&str; 7] = [
    "x-hub-signature-256",
    "x-hub-signature",
    "x-gitea-signature",
    "x-forgejo-signature",
    "x-gitlab-token",
    "webhook-signature",
    "webhook-timestamp",
];

fn webhooks() -> Webhooks {
    Webhooks::new(Some(SECRET.into()), "main".to_owned(), Arc::default())
}

/// Values that look like signatures, and any other bytes that a header may hold.
fn value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        "sha256=[0-9a-f]{64}".prop_map(String::into_bytes),
        "[0-9a-f]{64}".prop_map(String::into_bytes),
        "v1,[A-Za-z0-9+/]{43}=".prop_map(String::into_bytes),
        "[0-9]{1,20}".prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 0..200),
    ]
}

/// JSON that is like a push, form bodies, and any bytes.
fn body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        r#"\{"ref": ?("refs/heads/[a-z]{1,4}"|[0-9]{1,9}|null|\[\])\}"#.prop_map(String::into_bytes),
        "payload=[%A-Za-z0-9{}:\"]{0,60}".prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 0..2_000),
    ]
}

/// What becomes of a webhook, from its first byte on.
fn answer_to(forge: &str, headers: &HeaderMap, body: &[u8]) -> Result<Received, Problem> {
    let webhooks = webhooks();
    webhooks.receive(webhooks.expected(forge)?, headers, body)
}

proptest! {
    #[test]
    fn without_the_secret_nobody_makes_us_look(
        forge in prop::sample::select(&FORGES[..]),
        headers in prop::collection::vec((prop::sample::select(&HEADERS[..]), value()), 0..4),
        body in body(),
    ) {
        let mut sent = HeaderMap::new();
        for (name, value) in headers {
            if let Ok(value) = value.as_slice().try_into() {
                sent.append(HeaderName::from_static(name), value);
            }
        }
        let Err(problem) = answer_to(forge, &sent, &body) else { panic!("{forge} {sent:?} was believed") };
        let status = problem.into_response().status();
        prop_assert_eq!(status, if forge == "somewhere" { StatusCode::NOT_FOUND } else { StatusCode::UNAUTHORIZED });
    }

    #[test]
    fn what_is_signed_is_answered_whatever_it_holds_and_holds_for_no_other_body(body in body(), at in any::<prop::sample::Index>()) {
        let signature = format!("sha256={:x}", mac(SECRET.as_bytes(), &[&body]).finalize().into_bytes());
        let headers = HeaderMap::from_iter([(HeaderName::from_static("x-hub-signature-256"), signature.parse().unwrap())]);
        let received = answer_to("github", &headers, &body);
        prop_assert!(received.is_ok_and(|received| received.looking == received.reason.is_none()));
        let mut other = body;
        match other.len() {
            0 => other.push(0),
            length => other[at.index(length)] ^= 1,
        }
        prop_assert!(answer_to("github", &headers, &other).is_err());
    }
}
