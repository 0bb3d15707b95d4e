//! The two cookies: of the session, and of the browser that has been here before. Over HTTPS their names begin with
//! `__Host-`, which browsers accept from this very host only, over HTTPS only.

use http::header::{COOKIE, HeaderValue};
use http::{HeaderMap, header};
use secrecy::{ExposeSecret, SecretString};

const SESSION: &str = "release-manager";
const BROWSER: &str = "release-manager-browser";
/// While somebody is at the identity provider.
const STATE: &str = "release-manager-state";
/// Seconds: as long as a session lasts at most.
const SESSION_AGE: u32 = 7 * 24 * 60 * 60;
/// Seconds: as long as somebody may take at the identity provider.
const STATE_AGE: u32 = 10 * 60;
/// Seconds: half a year.
const BROWSER_AGE: u32 = 180 * 24 * 60 * 60;

/// The secret of the session.
pub(super) fn session(headers: &HeaderMap, is_https: bool) -> Option<&str> {
    read(headers, SESSION, is_https)
}

/// The secret of the browser.
pub(super) fn browser(headers: &HeaderMap, is_https: bool) -> Option<&str> {
    read(headers, BROWSER, is_https)
}

/// The state of a login at the identity provider.
pub(super) fn state(headers: &HeaderMap, is_https: bool) -> Option<&str> {
    read(headers, STATE, is_https)
}

/// Whether the request carries a session of either kind, good or bad.
pub(in crate::http) fn has_session(headers: &HeaderMap) -> bool {
    [true, false].into_iter().any(|is_https| session(headers, is_https).is_some())
}

fn name(name: &str, is_https: bool) -> String {
    format!("{}{name}", if is_https { "__Host-" } else { "" })
}

fn read<'a>(headers: &'a HeaderMap, cookie: &str, is_https: bool) -> Option<&'a str> {
    let wanted = name(cookie, is_https);
    let all = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = all.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == wanted).map(|(_, value)| value).filter(|value| !value.is_empty())
}

/// The headers that give both cookies to a browser.
pub(super) fn give(session: &SecretString, browser: &SecretString, is_https: bool) -> Vec<HeaderValue> {
    let session = set(SESSION, session.expose_secret(), SESSION_AGE, is_https);
    let browser = set(BROWSER, browser.expose_secret(), BROWSER_AGE, is_https);
    [session, browser].into_iter().flatten().collect()
}

/// The header that gives the state of a login at the identity provider.
pub(super) fn give_state(state: &SecretString, is_https: bool) -> Vec<HeaderValue> {
    set(STATE, state.expose_secret(), STATE_AGE, is_https).into_iter().collect()
}

/// The headers that take the session away, of either kind.
pub(super) fn take() -> Vec<HeaderValue> {
    [true, false].into_iter().filter_map(|is_https| set(SESSION, "", 0, is_https)).collect()
}

fn set(cookie: &str, value: &str, age: u32, is_https: bool) -> Option<HeaderValue> {
    let secure = if is_https { "; Secure" } else { "" };
    let name = name(cookie, is_https);
    let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={age}{secure}");
    let mut value = HeaderValue::try_from(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Adds headers of one kind to an answer.
pub(super) fn add(headers: &mut HeaderMap, cookies: Vec<HeaderValue>) {
    for cookie in cookies {
        headers.append(header::SET_COOKIE, cookie);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(is_https: bool) -> Vec<String> {
        let cookies = give(&"s".into(), &"b".into(), is_https);
        cookies.iter().map(|cookie| cookie.to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn over_https_a_cookie_belongs_to_this_host_and_is_sent_over_https_only() {
        assert_eq!(given(true)[0], "__Host-release-manager=s; Path=/; HttpOnly; SameSite=Lax; Max-Age=604800; Secure");
        assert_eq!(given(false)[0], "release-manager=s; Path=/; HttpOnly; SameSite=Lax; Max-Age=604800");
    }

    #[test]
    fn over_https_a_cookie_without_the_prefix_is_not_looked_at() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, "a=1; release-manager=planted".parse().unwrap());
        headers.append(COOKIE, "__Host-release-manager=own".parse().unwrap());
        assert_eq!(session(&headers, true), Some("own"));
        assert_eq!(session(&headers, false), Some("planted"));
        assert_eq!(browser(&headers, true), None);
    }
}
