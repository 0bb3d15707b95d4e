//! The settings that say who may come in, and by which doors.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use http::HeaderName;
use release_manager::access::throttle::Allowance;
use secrecy::SecretString;
use url::Url;

use super::groups::Groups;
use super::network::Network;
use super::oidc::OidcSettings;
use crate::config::{Settings, WrongSetting, parsed, secret, text, wrong};

/// For reading: what a page with everything on it needs, several times over.
const READS: Allowance = Allowance { burst: 60, per_second: 20 };
/// For changes: nobody clicks faster for long.
const WRITES: Allowance = Allowance { burst: 5, per_second: 2 };

/// Where people come back to from the identity provider.
pub const OIDC_CALLBACK: &str = "/login/oidc/callback";

/// What `AUTH` says besides `login` and `none`.
const FORCED: &str = "none-anyone-may-deploy";

/// Whether people have to log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Auth {
    /// They have to.
    Login,
    /// Nobody has to: only where nobody else can come, or where that was said in words.
    None,
}

/// Who may come in, and by which doors.
#[derive(Debug, Clone)]
pub struct AuthSettings {
    /// Whether people have to log in.
    pub auth: Auth,
    /// The password of the first admin; one is made up without it.
    pub admin_password: Option<SecretString>,
    /// Where people find the pages, if that is known.
    pub public_url: Option<Url>,
    /// The names under which pages are served; empty for any.
    pub allowed_hosts: BTreeSet<String>,
    /// The proxies that are believed.
    pub proxies: Vec<Network>,
    /// The header in which a proxy says who has logged in there.
    pub proxy_login: Option<ProxyLogin>,
    /// Which group of a proxy or identity provider gets which role.
    pub groups: Groups,
    /// The identity provider at which people log in.
    pub oidc: Option<OidcSettings>,
    /// How much a client may ask: reading.
    pub reads: Allowance,
    /// How much a client may ask: changes.
    pub writes: Allowance,
}

/// How a proxy says who somebody is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyLogin {
    /// The header with the name.
    pub user: HeaderName,
    /// The header with the groups, separated by commas.
    pub groups: Option<HeaderName>,
}

impl AuthSettings {
    /// Nobody has to log in; what a demonstration on loopback does.
    pub fn open() -> Self {
        Self {
            auth: Auth::None,
            admin_password: None,
            public_url: None,
            allowed_hosts: BTreeSet::new(),
            proxies: Vec::new(),
            proxy_login: None,
            groups: Groups::default(),
            oidc: None,
            reads: READS,
            writes: WRITES,
        }
    }

    /// Reads the settings, and the address to listen on, which depends on them.
    pub(crate) fn read(settings: &dyn Settings) -> Result<(Self, IpAddr), WrongSetting> {
        let (auth, host) = door(settings)?;
        let public_url = text(settings, "PUBLIC_URL").map(|raw| public_url(&raw)).transpose()?;
        let mut allowed_hosts = hosts(settings)?;
        if !allowed_hosts.is_empty()
            && let Some(host) = public_url.as_ref().and_then(Url::host_str)
        {
            allowed_hosts.insert(host.to_ascii_lowercase());
        }
        let proxies =
            list(settings, "TRUSTED_PROXIES", |raw| raw.parse::<Network>().map_err(|error| error.to_string()))?;
        let proxy_login = proxy_login(settings, &proxies)?;
        let groups = text(settings, "AUTH_GROUPS").map(|raw| raw.parse::<Groups>());
        let groups = groups.transpose().map_err(|problem: String| wrong("AUTH_GROUPS", &problem))?.unwrap_or_default();
        let admin_password = secret(settings, "ADMIN_PASSWORD")?;
        let oidc = oidc(settings, public_url.as_ref())?;
        let read = Self {
            auth,
            admin_password,
            public_url,
            allowed_hosts,
            proxies,
            proxy_login,
            groups,
            oidc,
            reads: READS,
            writes: WRITES,
        };
        Ok((read, host))
    }

    /// Whether people come over HTTPS, as far as the settings tell.
    pub fn is_https(&self) -> bool {
        self.public_url.as_ref().is_some_and(|url| url.scheme() == "https")
    }
}

/// `AUTH` and `WEB_HOST`: without a login only loopback is served.
fn door(settings: &dyn Settings) -> Result<(Auth, IpAddr), WrongSetting> {
    let auth = text(settings, "AUTH").unwrap_or_else(|| "login".to_owned());
    let usual = if auth == "login" { IpAddr::from(Ipv4Addr::UNSPECIFIED) } else { IpAddr::from(Ipv4Addr::LOCALHOST) };
    let host: IpAddr = parsed(settings, "WEB_HOST", &usual.to_string(), "an IP address such as 127.0.0.1 or 0.0.0.0")?;
    match auth.as_str() {
        "login" => Ok((Auth::Login, host)),
        "none" if host.is_loopback() => Ok((Auth::None, host)),
        "none" => Err(wrong(
            "AUTH",
            &format!(
                "`none` was read with WEB_HOST={host}: whoever reaches that address could deploy. Use `login`, listen on \
                 127.0.0.1, or say {FORCED}"
            ),
        )),
        FORCED => Ok((Auth::None, host)),
        other => Err(wrong("AUTH", &format!("`{other}` was read: use login, none or {FORCED}"))),
    }
}

fn public_url(raw: &str) -> Result<Url, WrongSetting> {
    let url = Url::parse(raw).ok().filter(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.host_str().is_some()
            && url.path() == "/"
            && url.query().is_none()
            && url.username().is_empty()
    });
    url.ok_or_else(|| {
        let allowed = "use an address without a path, such as https://release-manager.example.org";
        wrong("PUBLIC_URL", &format!("`{raw}` was read: {allowed}"))
    })
}

fn hosts(settings: &dyn Settings) -> Result<BTreeSet<String>, WrongSetting> {
    let host = |raw: &str| {
        let valid = !raw.is_empty()
            && raw.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']'))
            && !raw.contains("//");
        let without_port = raw.rsplit_once(':').is_none_or(|(_, port)| port.parse::<u16>().is_err());
        if valid && (without_port || raw.starts_with('[')) {
            Ok(raw.trim_matches(['[', ']']).to_ascii_lowercase())
        } else {
            Err(format!("`{raw}` was read: use names without scheme and port, such as release-manager.example.org"))
        }
    };
    Ok(list(settings, "ALLOWED_HOSTS", host)?.into_iter().collect())
}

fn proxy_login(settings: &dyn Settings, proxies: &[Network]) -> Result<Option<ProxyLogin>, WrongSetting> {
    let header = |name: &str| {
        let raw = text(settings, name);
        raw.map(|raw| {
            raw.parse::<HeaderName>().map_err(|_| wrong(name, &format!("`{raw}` was read: use the name of a header")))
        })
        .transpose()
    };
    let (user, groups) = (header("AUTH_PROXY_HEADER")?, header("AUTH_PROXY_GROUPS_HEADER")?);
    match (user, groups) {
        (None, Some(_)) => Err(wrong("AUTH_PROXY_GROUPS_HEADER", &"set AUTH_PROXY_HEADER too")),
        (Some(_), _) if proxies.is_empty() => {
            Err(wrong("AUTH_PROXY_HEADER", &"set TRUSTED_PROXIES too: anybody can send a header"))
        }
        (None, None) => Ok(None),
        (Some(user), groups) => Ok(Some(ProxyLogin { user, groups })),
    }
}

fn oidc(settings: &dyn Settings, public: Option<&Url>) -> Result<Option<OidcSettings>, WrongSetting> {
    let Some(raw) = text(settings, "OIDC_ISSUER") else { return Ok(None) };
    let is_loopback = |url: &Url| matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
    let issuer =
        Url::parse(&raw).ok().filter(|url| url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url)));
    let issuer = issuer.ok_or_else(|| {
        wrong("OIDC_ISSUER", &format!("`{raw}` was read: use the https address by which the provider names itself"))
    })?;
    let client_id = text(settings, "OIDC_CLIENT_ID").ok_or_else(|| {
        wrong("OIDC_CLIENT_ID", &"it is not set: use the name that the provider gave Release Manager")
    })?;
    let public =
        public.ok_or_else(|| wrong("PUBLIC_URL", &"it is not set: OIDC_ISSUER needs to know where to come back to"))?;
    let redirect = public.join(OIDC_CALLBACK).map_err(|error| wrong("PUBLIC_URL", &error))?;
    let usual = |name: &str, otherwise: &str| text(settings, name).unwrap_or_else(|| otherwise.to_owned());
    Ok(Some(OidcSettings {
        issuer,
        client_id,
        client_secret: secret(settings, "OIDC_CLIENT_SECRET")?,
        scopes: usual("OIDC_SCOPES", "openid profile email groups"),
        name_claim: usual("OIDC_NAME_CLAIM", "preferred_username"),
        groups_claim: usual("OIDC_GROUPS_CLAIM", "groups"),
        redirect,
    }))
}

/// A list with commas.
fn list<T>(
    settings: &dyn Settings,
    name: &str,
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<Vec<T>, WrongSetting> {
    let raw = text(settings, name).unwrap_or_default();
    let parts = raw.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts.map(|part| read(part).map_err(|problem| wrong(name, &problem))).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    struct Fake(BTreeMap<&'static str, &'static str>);

    impl Settings for Fake {
        fn get(&self, name: &str) -> Option<String> {
            self.0.get(name).map(|value| (*value).to_owned())
        }

        fn file(&self, path: &str) -> Result<String, String> {
            Err(format!("{path} does not exist"))
        }

        fn exists(&self, _: &str) -> bool {
            false
        }
    }

    fn read(pairs: &[(&'static str, &'static str)]) -> Result<(AuthSettings, IpAddr), WrongSetting> {
        AuthSettings::read(&Fake(pairs.iter().copied().collect()))
    }

    #[track_caller]
    fn check(pairs: &[(&'static str, &'static str)], auth: Auth, host: &str) {
        let (settings, listens) = read(pairs).unwrap();
        assert_eq!((settings.auth, listens.to_string()), (auth, host.to_owned()));
    }

    #[track_caller]
    fn refuse(pairs: &[(&'static str, &'static str)], expected: &str) {
        assert_eq!(read(pairs).unwrap_err().to_string(), expected);
    }

    #[test]
    fn without_a_login_only_loopback_is_served_unless_it_is_said_in_words() {
        check(&[], Auth::Login, "0.0.0.0");
        check(&[("AUTH", "none")], Auth::None, "127.0.0.1");
        check(&[("AUTH", "none"), ("WEB_HOST", "::1")], Auth::None, "::1");
        check(&[("AUTH", "none-anyone-may-deploy"), ("WEB_HOST", "0.0.0.0")], Auth::None, "0.0.0.0");
        refuse(
            &[("AUTH", "none"), ("WEB_HOST", "0.0.0.0")],
            "AUTH: `none` was read with WEB_HOST=0.0.0.0: whoever reaches that address could deploy. Use `login`, listen \
             on 127.0.0.1, or say none-anyone-may-deploy",
        );
        refuse(&[("AUTH", "off")], "AUTH: `off` was read: use login, none or none-anyone-may-deploy");
    }

    #[test]
    fn a_header_is_believed_only_from_proxies_that_are_named() {
        refuse(
            &[("AUTH_PROXY_HEADER", "X-Forwarded-User")],
            "AUTH_PROXY_HEADER: set TRUSTED_PROXIES too: anybody can send a header",
        );
        refuse(
            &[("TRUSTED_PROXIES", "traefik")],
            "TRUSTED_PROXIES: `traefik` is not a network: use an address such as 10.0.0.2, or 10.0.0.0/8",
        );
        let pairs = [("AUTH_PROXY_HEADER", "X-Forwarded-User"), ("TRUSTED_PROXIES", "10.0.0.0/8, ::1")];
        assert_eq!(read(&pairs).unwrap().0.proxies.len(), 2);
    }

    #[test]
    fn the_public_address_is_one_of_the_allowed_hosts() {
        let pairs = [("PUBLIC_URL", "https://Deploy.example.org"), ("ALLOWED_HOSTS", "lab.local, [::1]")];
        let settings = read(&pairs).unwrap().0;
        assert!(settings.is_https());
        let hosts: Vec<_> = settings.allowed_hosts.iter().map(String::as_str).collect();
        assert_eq!(hosts, ["::1", "deploy.example.org", "lab.local"]);
        refuse(
            &[("ALLOWED_HOSTS", "lab.local:8080")],
            "ALLOWED_HOSTS: `lab.local:8080` was read: use names without scheme and port, such as \
             release-manager.example.org",
        );
        refuse(
            &[("PUBLIC_URL", "https://example.org/releases")],
            "PUBLIC_URL: `https://example.org/releases` was read: use an address without a path, such as \
             https://release-manager.example.org",
        );
    }
}
