//! Which client a request comes from, and whether it came over HTTPS. Headers about that are believed from trusted
//! proxies only.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::extract::ConnectInfo;
use http::{Extensions, HeaderMap, header};

use crate::auth::{AuthSettings, Network, plain};

/// The connection itself is encrypted.
#[derive(Debug, Clone, Copy)]
pub(in crate::http) struct Encrypted;

/// The client of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) struct Client {
    /// Its address.
    pub(in crate::http) address: IpAddr,
    /// Whether the connection comes from a trusted proxy.
    pub(in crate::http) by_proxy: bool,
    /// Whether its browser speaks HTTPS.
    pub(in crate::http) is_https: bool,
}

impl Client {
    /// What the connection and, from a trusted proxy, the headers say.
    pub(in crate::http) fn of(settings: &AuthSettings, extensions: &Extensions, headers: &HeaderMap) -> Self {
        let peer = extensions.get::<ConnectInfo<SocketAddr>>();
        // Without a connection there is only a test; it is nobody special.
        let peer = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(peer)| plain(peer.ip()));
        let by_proxy = is_trusted(&settings.proxies, peer);
        let encrypted = extensions.get::<Encrypted>().is_some();
        let forwarded = by_proxy.then(|| last(headers, "x-forwarded-proto")).flatten();
        let is_https = match forwarded {
            Some(scheme) => scheme.eq_ignore_ascii_case("https"),
            None => encrypted || is_public_host(settings, headers),
        };
        let address = if by_proxy { behind(&settings.proxies, headers).unwrap_or(peer) } else { peer };
        Self { address, by_proxy, is_https }
    }
}

fn is_trusted(proxies: &[Network], address: IpAddr) -> bool {
    proxies.iter().any(|network| network.contains(address))
}

/// The last address that no trusted proxy has: whoever stands further left can be made up.
fn behind(proxies: &[Network], headers: &HeaderMap) -> Option<IpAddr> {
    let all = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
    let addresses: Vec<&str> = all.flat_map(|value| value.split(',')).map(str::trim).collect();
    for text in addresses.into_iter().rev() {
        let address = plain(text.parse().ok()?);
        if !is_trusted(proxies, address) {
            return Some(address);
        }
    }
    None
}

fn last<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let value = headers.get_all(name).iter().next_back()?.to_str().ok()?;
    value.rsplit(',').next().map(str::trim)
}

/// People come by the public address, and that is one of HTTPS.
fn is_public_host(settings: &AuthSettings, headers: &HeaderMap) -> bool {
    let Some(url) = settings.public_url.as_ref().filter(|_| settings.is_https()) else { return false };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()).map_or(host, |(name, _)| name);
    url.host_str().is_some_and(|public| public.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(peer: &str, headers: &[(&'static str, &str)], address: &str, by_proxy: bool, is_https: bool) {
        let settings = AuthSettings {
            proxies: vec!["10.0.0.0/8".parse().unwrap()],
            public_url: Some("https://lab.example.org".parse().unwrap()),
            ..AuthSettings::open()
        };
        let mut extensions = Extensions::new();
        extensions.insert(ConnectInfo(SocketAddr::new(peer.parse().unwrap(), 5000)));
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        let client = Client::of(&settings, &extensions, &map);
        assert_eq!(client, Client { address: address.parse().unwrap(), by_proxy, is_https });
    }

    #[test]
    fn a_stranger_is_not_believed() {
        let made_up = [("x-forwarded-for", "1.1.1.1"), ("x-forwarded-proto", "https")];
        check("192.168.0.9", &made_up, "192.168.0.9", false, false);
    }

    #[test]
    fn a_trusted_proxy_is_believed_as_far_as_it_has_seen_itself() {
        check("10.0.0.1", &[("x-forwarded-for", "1.1.1.1, 2.2.2.2")], "2.2.2.2", true, false);
        check("10.0.0.1", &[("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "10.9.9.9")], "1.1.1.1", true, false);
        check("::ffff:10.0.0.1", &[("x-forwarded-proto", "http, https")], "10.0.0.1", true, true);
        check("10.0.0.1", &[("x-forwarded-for", "nonsense")], "10.0.0.1", true, false);
    }

    #[test]
    fn the_public_address_tells_that_people_come_over_https() {
        check("192.168.0.9", &[("host", "lab.example.org")], "192.168.0.9", false, true);
        check("192.168.0.9", &[("host", "192.168.0.2:8080")], "192.168.0.9", false, false);
    }
}
