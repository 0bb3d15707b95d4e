//! The document around the application, and the headers that go with it.

use axum::http::HeaderValue;
use axum::http::header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use leptos::nonce::use_nonce;
use leptos::prelude::*;
use leptos_axum::ResponseOptions;
use leptos_meta::{HashedStylesheet, MetaTags};

use crate::App;
use crate::access::ssr::visit;
use crate::clock::wall_clock;

/// Sets the theme that was chosen before the first paint. It must not fail where storage is forbidden.
const EARLY_SCRIPT: &str = "try{const t=localStorage.getItem('theme');if(t==='light'||t==='dark')document.documentElement.dataset.theme=t}catch{}";

/// The HTML document.
pub fn shell(options: LeptosOptions) -> impl IntoView {
    set_headers();
    view! {
        <!DOCTYPE html>
        <html lang="en-GB" data-drawn-at=wall_clock().as_millis().to_string() data-known=visit().map(|_| "")>
            <head>
                <meta charset="utf-8"/>
                <meta name="viewport" content="width=device-width, initial-scale=1"/>
                <meta name="description" content="Release Manager brings what git says to Docker Swarm, one environment after the other, and shows what runs where."/>
                <meta name="color-scheme" content="light dark"/>
                <meta name="theme-color" media="(prefers-color-scheme: light)" content="#fbfbfa"/>
                <meta name="theme-color" media="(prefers-color-scheme: dark)" content="#0f1013"/>
                <script nonce=use_nonce()>{EARLY_SCRIPT}</script>
                <link rel="icon" href="/favicon.svg" type="image/svg+xml"/>
                <link rel="manifest" href="/site.webmanifest"/>
                <HashedStylesheet id="style" options=options.clone()/>
                <HydrationScripts options/>
                <MetaTags/>
            </head>
            <body>
                <App/>
            </body>
        </html>
    }
}

/// The page may load its own scripts, styles and data, and nothing else; nobody may put it into a frame.
fn set_headers() {
    let (Some(response), Some(nonce)) = (use_context::<ResponseOptions>(), use_nonce()) else { return };
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}' 'strict-dynamic' 'wasm-unsafe-eval'; style-src 'self'; \
         img-src 'self' data:; connect-src 'self'; manifest-src 'self'; frame-ancestors 'none'; base-uri 'none'; \
         form-action 'self'"
    );
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        response.insert_header(CONTENT_SECURITY_POLICY, policy);
    }
    response.insert_header(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    response.insert_header(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}
