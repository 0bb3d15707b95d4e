//! Where traces go. The names are those of the OpenTelemetry specification.

use http::header::{HeaderName, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use crate::config::{Settings, WrongSetting, secret, text, wrong};

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const HEADERS: &str = "OTEL_EXPORTER_OTLP_HEADERS";
const PROTOCOL: &str = "OTEL_EXPORTER_OTLP_PROTOCOL";
const SERVICE: &str = "OTEL_SERVICE_NAME";

/// Where traces go, and under which name.
#[derive(Debug, Clone)]
pub struct TraceSettings {
    /// The collector's address for traces.
    pub(super) url: Url,
    /// What is sent along, such as a key.
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    /// What Release Manager is called there.
    pub(super) service: String,
}

impl TraceSettings {
    /// Reads the settings; `None` where no collector is named.
    pub fn read(settings: &dyn Settings) -> Result<Option<Self>, WrongSetting> {
        let Some(endpoint) = text(settings, ENDPOINT) else { return Ok(None) };
        let url = traces_at(&endpoint).ok_or_else(|| {
            wrong(ENDPOINT, &"it is no address: use that of a collector for OTLP over HTTP, such as http://host:4318")
        })?;
        match text(settings, PROTOCOL).as_deref() {
            None | Some("http/json") => (),
            Some(other) => {
                return Err(wrong(
                    PROTOCOL,
                    &format!("`{other}` was read: use http/json, which every collector takes"),
                ));
            }
        }
        let headers = secret(settings, HEADERS)?.map(|raw| headers(&raw)).transpose()?.unwrap_or_default();
        let service = text(settings, SERVICE).unwrap_or_else(|| "release-manager".to_owned());
        Ok(Some(Self { url, headers, service }))
    }
}

/// The address for traces below a collector's.
fn traces_at(endpoint: &str) -> Option<Url> {
    let url = Url::parse(&format!("{}/v1/traces", endpoint.trim_end_matches('/'))).ok()?;
    (matches!(url.scheme(), "http" | "https") && url.has_host()).then_some(url)
}

/// `name=value,name=value`. No error holds a value.
fn headers(raw: &SecretString) -> Result<Vec<(HeaderName, HeaderValue)>, WrongSetting> {
    let header = |pair: &str| -> Option<(HeaderName, HeaderValue)> {
        let (name, value) = pair.split_once('=')?;
        let mut value = HeaderValue::from_str(value.trim()).ok()?;
        value.set_sensitive(true);
        Some((name.trim().parse().ok()?, value))
    };
    let pairs = raw.expose_secret().split(',').enumerate();
    pairs
        .map(|(index, pair)| {
            header(pair).ok_or_else(|| wrong(HEADERS, &format!("entry {} is not `name=value`", index + 1)))
        })
        .collect()
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

        fn file(&self, _: &str) -> Result<String, String> {
            Err("does not exist".to_owned())
        }

        fn exists(&self, _: &str) -> bool {
            false
        }
    }

    fn read(pairs: &[(&'static str, &'static str)]) -> Result<Option<TraceSettings>, String> {
        TraceSettings::read(&Fake(pairs.iter().copied().collect())).map_err(|error| error.to_string())
    }

    #[test]
    fn without_a_collector_nothing_is_traced() {
        assert!(read(&[]).unwrap().is_none());
        assert!(read(&[(HEADERS, "authorization=x")]).unwrap().is_none());
    }

    #[test]
    fn traces_have_their_own_path_below_the_collectors_address() {
        for endpoint in ["http://host:4318", "http://host:4318/"] {
            let known =
                read(&[(ENDPOINT, endpoint), (HEADERS, "x-key=s3cret, authorization=Basic YQ==")]).unwrap().unwrap();
            assert_eq!(known.url.as_str(), "http://host:4318/v1/traces");
            assert_eq!(known.headers.len(), 2);
            assert_eq!(known.headers[1].1, "Basic YQ==");
            assert_eq!(known.service, "release-manager");
            assert!(!format!("{known:?}").contains("s3cret"));
        }
    }

    #[test]
    fn a_wrong_setting_says_what_is_allowed_and_repeats_no_secret() {
        let check = |pairs: &[(&'static str, &'static str)], words: &str| {
            let problem = read(pairs).unwrap_err();
            assert!(problem.contains(words) && !problem.contains("s3cret"), "{problem}");
        };
        check(&[(ENDPOINT, "host:4318")], "such as http://host:4318");
        check(&[(ENDPOINT, "http://host"), (PROTOCOL, "grpc")], "`grpc` was read: use http/json");
        check(&[(ENDPOINT, "http://host"), (HEADERS, "a=b,s3cret")], "entry 2 is not `name=value`");
    }
}
