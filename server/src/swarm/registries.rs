//! Credentials for registries, as `docker login` leaves them in a `config.json`.
//!
//! The file is read at each use, so that a token that was renewed needs no restart. Passwords that a credential helper
//! keeps cannot be had: no other program is run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use http::HeaderValue;
use release_manager::stack::registry_of;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;

/// The header in which the Engine takes the credentials for a registry.
pub(super) const HEADER: &str = "x-registry-auth";
/// What `docker login` calls Docker Hub.
const HUB: &str = "https://index.docker.io/v1/";
/// A `config.json` is a few kilobytes.
const LONGEST: u64 = 1024 * 1024;

/// Why the credentials for a registry cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The file cannot be read.
    #[error("`{}` cannot be read: {source}", path.display())]
    Unreadable {
        /// The `config.json`.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is no docker configuration.
    #[error("`{}` is not the config.json of docker: {detail}", path.display())]
    Malformed {
        /// The `config.json`.
        path: PathBuf,
        /// Where and why; never a value.
        detail: String,
    },
    /// Another program keeps the password.
    #[error(
        "the password for the registry `{registry}` is kept by the credential helper `docker-credential-{helper}`, which \
         is not run: log in with a `{}` that has no `credsStore` and `credHelpers`",
        path.display()
    )]
    Helper {
        /// The `config.json`.
        path: PathBuf,
        /// The registry.
        registry: String,
        /// The helper, as the file names it.
        helper: String,
    },
}

/// The credentials in a docker `config.json`.
#[derive(Debug, Clone)]
pub struct Registries {
    path: PathBuf,
    /// Whether the nodes get the credentials along with what they are to run.
    for_nodes: bool,
}

impl Registries {
    /// The credentials in the `config.json` of a directory (`DOCKER_CONFIG`). They are used to ask registries for digests.
    pub fn in_directory(directory: &Path) -> Self {
        Self { path: directory.join("config.json"), for_nodes: false }
    }

    /// The same; services that are created or updated carry the credentials too, so that nodes can fetch their images.
    #[must_use]
    pub fn for_nodes(self) -> Self {
        Self { for_nodes: true, ..self }
    }

    /// Whether the file is there and can be used for every registry that it knows.
    pub fn check(&self) -> Result<(), RegistryError> {
        std::fs::metadata(&self.path)
            .map_err(|source| RegistryError::Unreadable { path: self.path.clone(), source })?;
        let config = self.read()?;
        let known: Vec<&String> = config.auths.keys().chain(config.cred_helpers.keys()).collect();
        known.into_iter().try_for_each(|registry| config.credentials(&self.path, registry).map(drop))
    }

    /// What to send along when a registry is asked about an image; `None` where nobody is logged in to it.
    pub(super) fn for_question(&self, image: &str) -> Result<Option<HeaderValue>, RegistryError> {
        match self.header(image) {
            // The question may be answered without, and whoever wanted the nodes to log in is told when it comes to that.
            Err(RegistryError::Helper { .. }) if !self.for_nodes => Ok(None),
            header => header,
        }
    }

    /// What to send along with a service that runs an image.
    pub(super) fn for_service(&self, image: &str) -> Result<Option<HeaderValue>, RegistryError> {
        if self.for_nodes { self.header(image) } else { Ok(None) }
    }

    fn header(&self, image: &str) -> Result<Option<HeaderValue>, RegistryError> {
        let registry = match registry_of(image) {
            "docker.io" => HUB,
            registry => registry,
        };
        Ok(self.read()?.credentials(&self.path, registry)?.map(|found| found.header(registry)))
    }

    fn read(&self) -> Result<Config, RegistryError> {
        let text = match read_bounded(&self.path) {
            Ok(text) => text,
            // Whoever has never logged in has no such file.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Config::default()),
            Err(source) => return Err(RegistryError::Unreadable { path: self.path.clone(), source }),
        };
        serde_json::from_str(&text).map_err(|error| RegistryError::Malformed {
            path: self.path.clone(),
            // The error itself may quote what it found.
            detail: format!("line {}, column {}", error.line(), error.column()),
        })
    }
}

fn read_bounded(path: &Path) -> std::io::Result<String> {
    use std::io::Read;
    let mut text = String::new();
    std::fs::File::open(path)?.take(LONGEST).read_to_string(&mut text)?;
    Ok(text)
}

/// The members of a `config.json` that matter here.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Config {
    #[serde(default)]
    auths: BTreeMap<String, Entry>,
    #[serde(default)]
    creds_store: String,
    #[serde(default)]
    cred_helpers: BTreeMap<String, String>,
}

/// What one login left behind.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Entry {
    /// `user:password` in base64.
    #[serde(deserialize_with = "secret")]
    auth: Option<SecretString>,
    username: String,
    #[serde(deserialize_with = "secret")]
    password: Option<SecretString>,
    #[serde(deserialize_with = "secret")]
    identitytoken: Option<SecretString>,
    #[serde(deserialize_with = "secret")]
    registrytoken: Option<SecretString>,
}

fn secret<'de, D: serde::Deserializer<'de>>(source: D) -> Result<Option<SecretString>, D::Error> {
    let text = Option::<String>::deserialize(source)?;
    Ok(text.filter(|text| !text.is_empty()).map(SecretString::from))
}

impl Config {
    fn credentials(&self, path: &Path, registry: &str) -> Result<Option<Credentials>, RegistryError> {
        let kept_by = |helper: &str| RegistryError::Helper {
            path: path.to_owned(),
            registry: hostname(registry).to_owned(),
            helper: helper.to_owned(),
        };
        if let Some((_, helper)) = find(&self.cred_helpers, registry) {
            return Err(kept_by(helper));
        }
        let Some((_, entry)) = find(&self.auths, registry) else { return Ok(None) };
        match entry.credentials() {
            Ok(Some(found)) => Ok(Some(found)),
            // A login leaves an empty entry where a helper keeps the password.
            Ok(None) if !self.creds_store.is_empty() => Err(kept_by(&self.creds_store)),
            Ok(None) => Ok(None),
            Err(detail) => {
                let detail = format!("the `auth` of `{}` {detail}", hostname(registry));
                Err(RegistryError::Malformed { path: path.to_owned(), detail })
            }
        }
    }
}

/// The entry of a registry: by its very name, else by its host.
fn find<'a, T>(entries: &'a BTreeMap<String, T>, registry: &str) -> Option<(&'a String, &'a T)> {
    let by_host = || entries.iter().find(|(known, _)| hostname(known) == hostname(registry));
    entries.get_key_value(registry).or_else(by_host)
}

/// The host in what `docker login` was given: `https://host/v1/` is `host`.
fn hostname(registry: &str) -> &str {
    let rest = registry.strip_prefix("https://").or_else(|| registry.strip_prefix("http://")).unwrap_or(registry);
    rest.split('/').next().unwrap_or(rest)
}

impl Entry {
    fn credentials(&self) -> Result<Option<Credentials>, &'static str> {
        let mut found = Credentials {
            username: self.username.clone(),
            password: self.password.clone(),
            identity_token: self.identitytoken.clone(),
            registry_token: self.registrytoken.clone(),
        };
        if let Some(auth) = &self.auth {
            let decoded = STANDARD.decode(auth.expose_secret()).map_err(|_| "is no base64")?;
            let decoded = String::from_utf8(decoded).map_err(|_| "is no text")?;
            let (username, password) = decoded.split_once(':').ok_or("has no `:` between user and password")?;
            username.clone_into(&mut found.username);
            found.password = Some(SecretString::from(password.trim_end_matches('\0')));
        }
        let is_empty = found.password.is_none() && found.identity_token.is_none() && found.registry_token.is_none();
        Ok((!is_empty).then_some(found))
    }
}

/// What a registry wants to see.
#[derive(Debug)]
struct Credentials {
    username: String,
    password: Option<SecretString>,
    identity_token: Option<SecretString>,
    registry_token: Option<SecretString>,
}

impl Credentials {
    /// The Engine reads the alphabet of URLs, padded, and passes over what it cannot read.
    fn header(&self, registry: &str) -> HeaderValue {
        let shown = |secret: &Option<SecretString>| secret.as_ref().map(|secret| secret.expose_secret().to_owned());
        let mut members = json!({"username": self.username, "serveraddress": registry});
        for (name, value) in [
            ("password", &self.password),
            ("identitytoken", &self.identity_token),
            ("registrytoken", &self.registry_token),
        ] {
            if let Some(value) = shown(value) {
                members[name] = value.into();
            }
        }
        let mut header = HeaderValue::from_str(&URL_SAFE.encode(members.to_string()))
            .unwrap_or_else(|_| HeaderValue::from_static(""));
        header.set_sensitive(true);
        header
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn registries(config: &Value) -> (tempfile::TempDir, Registries) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("config.json"), config.to_string()).unwrap();
        let registries = Registries::in_directory(dir.path()).for_nodes();
        (dir, registries)
    }

    fn sent(config: &Value, image: &str) -> Result<Option<Value>, RegistryError> {
        let (_dir, registries) = registries(config);
        let header = registries.for_service(image)?;
        Ok(header.map(|header| serde_json::from_slice(&URL_SAFE.decode(header.as_bytes()).unwrap()).unwrap()))
    }

    #[track_caller]
    fn check(config: &Value, image: &str, expected: Option<&Value>) {
        assert_eq!(sent(config, image).unwrap().as_ref(), expected, "{image}");
    }

    #[test]
    fn each_image_gets_the_credentials_of_its_registry() {
        let auth = |text: &str| json!({"auth": STANDARD.encode(text)});
        let config = json!({"auths": {
            "https://index.docker.io/v1/": auth("hub:a:b"),
            "127.0.0.1:5000": auth("local:pa>>??ss~~\u{ff}"),
            "https://ghcr.io/v2/": {"identitytoken": "token"},
        }});
        let login = |user: &str, password: &str, server: &str| json!({"username": user, "password": password, "serveraddress": server});
        check(&config, "app:1", Some(&login("hub", "a:b", HUB)));
        check(&config, "user/app@sha256:0", Some(&login("hub", "a:b", HUB)));
        check(&config, "127.0.0.1:5000/app", Some(&login("local", "pa>>??ss~~\u{ff}", "127.0.0.1:5000")));
        let token = json!({"username": "", "identitytoken": "token", "serveraddress": "ghcr.io"});
        check(&config, "ghcr.io/a/b:1", Some(&token));
        check(&config, "quay.io/a/b:1", None);
        check(&json!({}), "app:1", None);
    }

    #[test]
    fn a_password_that_a_helper_keeps_is_an_error_with_the_remedy() {
        for config in [
            json!({"auths": {"ghcr.io": {}}, "credsStore": "pass"}),
            json!({"auths": {}, "credHelpers": {"ghcr.io": "pass"}}),
        ] {
            let error = sent(&config, "ghcr.io/a/b:1").unwrap_err().to_string();
            assert!(error.contains("`ghcr.io`") && error.contains("`docker-credential-pass`"), "{error}");
            // Nobody has logged in there, so nothing is kept.
            assert_eq!(sent(&config, "quay.io/a/b:1").unwrap(), None);
            let (_dir, registries) = registries(&config);
            assert!(registries.check().is_err());
            let only_asked = Registries { for_nodes: false, ..registries };
            assert!(only_asked.for_question("ghcr.io/a/b:1").unwrap().is_none());
        }
    }

    #[test]
    fn a_broken_file_is_named_and_never_quoted() {
        for (auth, why) in [("hush hush", "is no base64"), ("aHVzaA==", "has no `:`")] {
            let error = sent(&json!({"auths": {"ghcr.io": {"auth": auth}}}), "ghcr.io/a").unwrap_err().to_string();
            assert!(error.contains(why) && error.contains("config.json") && !error.contains("hush"), "{error}");
        }
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("config.json"), r#"{"auths": {"ghcr.io": {"auth": hush}}}"#).unwrap();
        let error = Registries::in_directory(dir.path()).check().unwrap_err().to_string();
        assert!(error.contains("line 1") && !error.contains("hush"), "{error}");
    }

    #[test]
    fn whoever_has_never_logged_in_has_no_credentials() {
        let dir = tempfile::tempdir().unwrap();
        let registries = Registries::in_directory(&dir.path().join("nowhere"));
        assert!(registries.for_question("app:1").unwrap().is_none());
        assert!(registries.check().is_err(), "a setting that names nothing is wrong");
    }
}
