//! The built pages: in the binary in release builds, read from the build folder in debug builds.

use std::borrow::Cow;

use axum::body::{Body, Bytes};
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use http::header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, VARY};
use http::{Method, StatusCode};
use leptos::IntoView;
use rust_embed::{EmbeddedFile, RustEmbed};
use sha2::{Digest, Sha256};

use super::AppState;

/// What cargo-leptos has built: `pkg/…` and the files of `public/`.
#[derive(RustEmbed)]
#[folder = "../target/site"]
#[allow_missing = true]
#[exclude = "*.d.ts"]
struct Site;

/// Names this build of the assets: their URLs carry it, so that browsers may keep them for ever.
pub(super) fn build_id() -> String {
    let mut hash = Sha256::new();
    let mut names: Vec<_> = Site::iter().collect();
    names.sort_unstable();
    for file in names.iter().filter_map(|name| Site::get(name)) {
        hash.update(file.metadata.sha256_hash());
    }
    let mut id = format!("{:x}", hash.finalize());
    id.truncate(12);
    id
}

/// `GET /pkg/{build}/{file}`: kept for ever under its build's name; any other build's name is answered too, so that a
/// page loaded before an upgrade can still start, but not kept.
pub(super) async fn built(
    State(state): State<AppState>,
    Path((build, file)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let cache = if *state.options.site_pkg_dir == format!("pkg/{build}") {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    found(&format!("pkg/{file}"), &headers, cache)
        .unwrap_or_else(|| (StatusCode::NOT_FOUND, "no such file\n").into_response())
}

/// Files of `public/`, and for everything else the page that says that it is not there.
pub(super) fn public_or_page<IV>(
    context: impl Fn() + Clone + Send + Sync + 'static,
    shell: impl Fn() -> IV + Clone + Send + Sync + 'static,
) -> impl Fn(State<AppState>, Request) -> std::pin::Pin<Box<dyn Future<Output = Response> + Send>> + Clone + Send + Sync
where
    IV: IntoView + 'static,
{
    let page = leptos_axum::render_app_async_with_context(context, shell);
    move |State(_): State<AppState>, request: Request| {
        let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
        let path = request.uri().path().trim_start_matches('/');
        let file =
            (is_read && !path.starts_with("pkg/")).then(|| found(path, request.headers(), "public, max-age=3600"));
        if let Some(file) = file.flatten() {
            return Box::pin(std::future::ready(file));
        }
        let page = page(request);
        Box::pin(async move {
            let mut response = page.await;
            if response.status() == StatusCode::OK {
                *response.status_mut() = StatusCode::NOT_FOUND;
            }
            response
        })
    }
}

/// A file with its headers; precompressed where the build has done it and the client takes it.
fn found(path: &str, headers: &HeaderMap, cache: &'static str) -> Option<Response> {
    let accepts = |coding: &str| {
        let accepted = headers.get(ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
        accepted.split(',').any(|one| one.split(';').next().is_some_and(|name| name.trim() == coding))
    };
    let packed = ["br", "gzip"].into_iter().zip([".br", ".gz"]).find_map(|(coding, ending)| {
        accepts(coding).then(|| Site::get(&format!("{path}{ending}")))?.map(|file| (file, Some(coding)))
    });
    let (file, coding): (EmbeddedFile, Option<&str>) = match packed {
        Some(packed) => packed,
        None => (Site::get(path)?, None),
    };
    let mut response = Response::builder()
        .header(CONTENT_TYPE, content_type(path))
        .header(CACHE_CONTROL, cache)
        .header(VARY, "accept-encoding");
    if let Some(coding) = coding {
        response = response.header(CONTENT_ENCODING, coding);
    }
    // In a release build the file lies in the program: a thousand downloads need no copy of it.
    let bytes = match file.data {
        Cow::Borrowed(data) => Bytes::from_static(data),
        Cow::Owned(data) => Bytes::from(data),
    };
    response.body(Body::from(bytes)).ok()
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "wasm" => "application/wasm",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "txt" => "text/plain; charset=utf-8",
        "json" | "webmanifest" => "application/json",
        _ => "application/octet-stream",
    }
}
