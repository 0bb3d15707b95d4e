//! Logging in at an identity provider: a small one on loopback, which signs what a test tells it to.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use release_manager::access::Role;
use reqwest::header::{COOKIE, LOCATION};
use reqwest::{Response, StatusCode};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};
use server::auth::AuthSettings;
use server::auth::oidc::OidcSettings;
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use url::Url;

use super::house::{House, cookies, everywhere, patient};

struct Provider {
    issuer: String,
    pair: EcdsaKeyPair,
    /// For each code: the challenge, and what the token is to say.
    codes: Mutex<HashMap<String, (String, Value)>>,
}

impl Provider {
    async fn start() -> Arc<Self> {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).unwrap();
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let provider = Arc::new(Self { issuer, pair, codes: Mutex::default() });
        let app = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/keys", get(keys))
            .route("/token", post(token))
            .with_state(Arc::clone(&provider));
        tokio::spawn(axum::serve(listener, app).into_future());
        provider
    }

    fn settings(&self) -> AuthSettings {
        let oidc = OidcSettings {
            issuer: self.issuer.parse().unwrap(),
            client_id: "release-manager".to_owned(),
            client_secret: Some("a secret".into()),
            scopes: "openid".to_owned(),
            name_claim: "preferred_username".to_owned(),
            groups_claim: "groups".to_owned(),
            redirect: "https://lab.test/login/oidc/callback".parse().unwrap(),
        };
        AuthSettings { oidc: Some(oidc), groups: "ops=admin,devs=deployer:preprod".parse().unwrap(), ..patient() }
    }

    /// What the provider would sign for a login that was begun.
    fn claims(&self, asked: &HashMap<String, String>) -> Value {
        let exp = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() + 60;
        json!({
            "iss": self.issuer, "sub": "42", "aud": "release-manager", "exp": exp, "nonce": asked["nonce"],
            "preferred_username": "Ada", "groups": ["devs"],
        })
    }

    /// Somebody has logged in there: the code that their browser brings back.
    fn code(&self, asked: &HashMap<String, String>, claims: Value) -> String {
        let code = format!("code {}", self.codes.lock().unwrap().len());
        self.codes.lock().unwrap().insert(code.clone(), (asked["code_challenge"].clone(), claims));
        code
    }
}

async fn discovery(State(provider): State<Arc<Provider>>) -> Json<Value> {
    let issuer = &provider.issuer;
    Json(json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/keys"),
    }))
}

async fn keys(State(provider): State<Arc<Provider>>) -> Json<Value> {
    let point = provider.pair.public_key().as_ref();
    let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..]));
    Json(json!({"keys": [{"kty": "EC", "kid": "k", "use": "sig", "crv": "P-256", "x": x, "y": y}]}))
}

async fn token(
    State(provider): State<Arc<Provider>>,
    headers: HeaderMap,
    body: String,
) -> Result<Json<Value>, StatusCode> {
    let basic = format!("Basic {}", STANDARD.encode("release-manager:a+secret"));
    let form: HashMap<_, _> = url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    let (challenge, claims) = provider.codes.lock().unwrap().remove(&form["code"]).ok_or(StatusCode::BAD_REQUEST)?;
    let proof = URL_SAFE_NO_PAD.encode(Sha256::digest(&form["code_verifier"]));
    if headers["authorization"] != basic || proof != challenge {
        return Err(StatusCode::UNAUTHORIZED);
    }
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", encode(&json!({"alg": "ES256", "kid": "k"})), encode(&claims));
    let signature = provider.pair.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
    let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()));
    Ok(Json(json!({"access_token": "x", "token_type": "Bearer", "id_token": token})))
}

/// What the browser is sent to the provider with, and its cookie.
async fn begin(house: &House) -> (HashMap<String, String>, String) {
    let answer = house.get("/login/oidc?next=%2Fhistory").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    let url = Url::parse(answer.headers()[LOCATION].to_str().unwrap()).unwrap();
    (url.query_pairs().into_owned().collect(), cookies(answer.headers()))
}

async fn come_back(house: &House, state: &str, code: &str, cookie: &str) -> Response {
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("state", state)
        .append_pair("code", code)
        .finish();
    house.get(&format!("/login/oidc/callback?{query}")).header(COOKIE, cookie).send().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_whom_the_provider_knows_comes_in_with_the_role_of_their_groups() {
    let provider = Provider::start().await;
    let house = House::with(provider.settings()).await;
    let (asked, cookie) = begin(&house).await;
    assert_eq!((asked["response_type"].as_str(), asked["code_challenge_method"].as_str()), ("code", "S256"));
    assert_eq!(asked["redirect_uri"], "https://lab.test/login/oidc/callback");
    let code = provider.code(&asked, provider.claims(&asked));
    let answer = come_back(&house, &asked["state"], &code, &cookie).await;
    assert_eq!((answer.status(), &answer.headers()[LOCATION]), (StatusCode::SEE_OTHER, &"/history".parse().unwrap()));
    let session = cookies(answer.headers());
    let me: Value = house.get("/api/me").header(COOKIE, &session).send().await.unwrap().json().await.unwrap();
    assert_eq!((&me["kind"], &me["deployed_by"]), (&json!("person"), &json!("ada")));
    assert_eq!(me["environments"], json!(["preprod"]));

    let again = come_back(&house, &asked["state"], &code, &cookie).await;
    assert_eq!(again.headers()[LOCATION], "/login?problem=again", "each login works once");

    // The same person under another name and in another group.
    let (asked, cookie) = begin(&house).await;
    let mut claims = provider.claims(&asked);
    claims["preferred_username"] = json!("countess");
    claims["groups"] = json!("ops");
    let code = provider.code(&asked, claims);
    let session = cookies(come_back(&house, &asked["state"], &code, &cookie).await.headers());
    let me: Value = house.get("/api/me").header(COOKIE, &session).send().await.unwrap().json().await.unwrap();
    assert_eq!((&me["deployed_by"], &me["role"]), (&json!("ada"), &json!("admin")));
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_did_not_begin_the_login_does_not_end_it() {
    let provider = Provider::start().await;
    let house = House::with(provider.settings()).await;
    let (asked, cookie) = begin(&house).await;
    let (_, others) = begin(&house).await;
    let code = provider.code(&asked, provider.claims(&asked));
    for (state, cookie) in
        [(asked["state"].as_str(), ""), (asked["state"].as_str(), others.as_str()), ("made-up", cookie.as_str())]
    {
        let answer = come_back(&house, state, &code, cookie).await;
        assert_eq!(answer.headers()[LOCATION], "/login?problem=again", "{state} {cookie}");
    }
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_not_ours_opens_nothing() {
    let provider = Provider::start().await;
    let house = House::with(provider.settings()).await;
    for (claim, value) in [
        ("iss", json!("http://evil.test")),
        ("aud", json!("somebody-else")),
        ("aud", json!(["release-manager", "somebody-else"])),
        ("exp", json!(1)),
        ("nonce", json!("of another login")),
        ("nonce", Value::Null),
        ("preferred_username", Value::Null),
    ] {
        let (asked, cookie) = begin(&house).await;
        let mut claims = provider.claims(&asked);
        claims[claim] = value.clone();
        let code = provider.code(&asked, claims);
        let answer = come_back(&house, &asked["state"], &code, &cookie).await;
        assert_eq!(answer.headers()[LOCATION], "/login?problem=provider", "{claim}: {value}");
    }
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_taken_here_and_a_group_without_a_role_have_no_access() {
    let provider = Provider::start().await;
    let house = House::with(provider.settings()).await;
    house.user("admin", everywhere(Role::Admin)).await;
    for (claim, value) in [("preferred_username", json!("admin")), ("groups", json!(["strangers"]))] {
        let (asked, cookie) = begin(&house).await;
        let mut claims = provider.claims(&asked);
        claims[claim] = value;
        let code = provider.code(&asked, claims);
        let answer = come_back(&house, &asked["state"], &code, &cookie).await;
        assert_eq!(answer.headers()[LOCATION], "/login?problem=no-access", "{claim}");
    }
    house.close().await;
}
