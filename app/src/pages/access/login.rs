//! The page where one logs in: a plain form, which needs no script.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

use crate::access::{Doors, use_looker};
use crate::components::{Banner, Symbol};
use crate::view::Tone;

/// `/login`
#[component]
pub fn LoginPage() -> impl IntoView {
    let query = use_query_map();
    let asked = move |name: &'static str| query.with_untracked(|query| query.get_str(name).map(str::to_owned));
    let message = asked("problem").and_then(|problem| message(&problem, asked("wait").as_deref()));
    let to_provider = Doors::known().provider.then(|| match asked("next") {
        Some(next) => format!("/login/oidc?next={}", leptos_router::location::Url::escape(&next)),
        None => "/login/oidc".to_owned(),
    });
    let known = use_looker().visit().map(|visit| visit.principal.actor().to_string());
    view! {
        <Title text="Log in"/>
        <section class="card login" aria-labelledby="login-title">
            <header class="card-head"><h1 id="login-title">"Log in"</h1></header>
            <form class="form" method="post" action="/login">
                {message.map(|(tone, text)| view! {
                    <div role="alert"><Banner tone symbol=Symbol::Info>{text}</Banner></div>
                })}
                {known.map(|name| view! { <p class="muted">"You are in as "{name}"."</p> })}
                <label class="form-field">
                    <span>"Name"</span>
                    <input type="text" name="name" autocomplete="username" autocapitalize="none" spellcheck="false" required/>
                </label>
                <label class="form-field">
                    <span>"Password"</span>
                    <input type="password" name="password" autocomplete="current-password" required/>
                </label>
                <input type="hidden" name="next" value=asked("next").unwrap_or_default()/>
                <p class="form-row">
                    <button class="button primary" type="submit">"Log in"</button>
                    {to_provider.map(|href| view! {
                        <a class="button" href=href rel="external">"By the identity provider"</a>
                    })}
                </p>
            </form>
        </section>
    }
}

/// Why one is here, for the word in the address.
fn message(problem: &str, wait: Option<&str>) -> Option<(Tone, String)> {
    let wait = wait.and_then(|seconds| seconds.parse::<u64>().ok());
    let said = match (problem, wait) {
        ("wrong", _) => (Tone::Bad, "Name or password is wrong.".to_owned()),
        ("slowed", Some(seconds)) => (Tone::Warn, format!("Too many attempts. Try again in {seconds} s.")),
        ("slowed", None) => (Tone::Warn, "Too many attempts. Try again in a moment.".to_owned()),
        ("busy", _) => (Tone::Warn, "Too many people log in at this moment. Try again in a few seconds.".to_owned()),
        ("inside", _) => (Tone::Bad, "Something went wrong inside Release Manager: its log says why.".to_owned()),
        ("provider", _) => (Tone::Bad, "The identity provider cannot be used just now: the log says why.".to_owned()),
        ("refused", _) => (Tone::Bad, "The identity provider refused the login.".to_owned()),
        ("no-access", _) => (Tone::Bad, "Your account at the identity provider has no access here.".to_owned()),
        ("again", _) => (Tone::Warn, "That login took too long, or was used already. Begin again.".to_owned()),
        ("left", _) => (Tone::Good, "You are logged out.".to_owned()),
        _ => return None,
    };
    Some(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_words_of_the_address_are_shown() {
        assert!(message("<script>", None).is_none());
        assert_eq!(message("slowed", Some("<b>")).unwrap().1, "Too many attempts. Try again in a moment.");
        assert_eq!(message("slowed", Some("4")).unwrap().1, "Too many attempts. Try again in 4 s.");
    }
}
