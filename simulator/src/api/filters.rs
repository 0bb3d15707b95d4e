//! The `filters` of list calls.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use crate::error::Refusal;

/// The filters of a call, by name.
#[derive(Debug, Default)]
pub(super) struct Filters(BTreeMap<String, Vec<String>>);

impl Filters {
    /// Reads `filters`, as lists of texts or in the older form as maps to booleans.
    pub(super) fn read(query: &HashMap<String, String>) -> Result<Self, Refusal> {
        let Some(text) = query.get("filters").filter(|text| !text.is_empty()) else { return Ok(Self::default()) };
        let bad = || {
            let first = text.chars().next().unwrap_or(' ');
            Refusal::bad(format!("invalid character '{first}' looking for beginning of value"))
        };
        let raw: BTreeMap<String, Value> = serde_json::from_str(text).map_err(|_| bad())?;
        let mut filters = BTreeMap::new();
        for (name, values) in raw {
            let values = match values {
                Value::Array(items) => items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect(),
                Value::Object(map) => {
                    map.into_iter().filter(|(_, on)| *on == Value::Bool(true)).map(|(key, _)| key).collect()
                }
                _ => return Err(bad()),
            };
            filters.insert(name, values);
        }
        Ok(Self(filters))
    }

    /// Refuses a filter that the call does not know.
    pub(super) fn only(self, known: &[&str]) -> Result<Self, Refusal> {
        match self.0.keys().find(|name| !known.contains(&name.as_str())) {
            Some(name) => Err(Refusal::bad(format!("Invalid filter '{name}'"))),
            None => Ok(self),
        }
    }

    /// The values of a filter.
    pub(super) fn values(&self, name: &str) -> &[String] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    /// Whether a filter is absent, or one of its values passes.
    pub(super) fn passes(&self, name: &str, test: impl Fn(&str) -> bool) -> bool {
        let values = self.values(name);
        values.is_empty() || values.iter().any(|value| test(value))
    }

    /// Whether one of the values is a beginning of the text.
    pub(super) fn begins(&self, name: &str, text: &str) -> bool {
        self.passes(name, |value| text.starts_with(value))
    }

    /// Whether all the labels asked for (`key` or `key=value`) are there.
    pub(super) fn labels(&self, labels: &Value) -> bool {
        self.values("label").iter().all(|wanted| match wanted.split_once('=') {
            Some((key, value)) => labels.get(key).and_then(Value::as_str) == Some(value),
            None => labels.get(wanted).is_some(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn filters(text: &str) -> Result<Filters, Refusal> {
        Filters::read(&HashMap::from([("filters".to_owned(), text.to_owned())]))
    }

    #[test]
    fn both_forms_are_read() {
        for text in [r#"{"label":["a=b"]}"#, r#"{"label":{"a=b":true,"c":false}}"#] {
            let filters = filters(text).expect("is well formed");
            assert!(filters.labels(&serde_json::json!({ "a": "b" })), "{text}");
            assert!(!filters.labels(&serde_json::json!({ "a": "x" })), "{text}");
        }
    }

    #[test]
    fn an_unknown_filter_is_refused() {
        let refusal = filters(r#"{"fooo":["x"]}"#).and_then(|filters| filters.only(&["id"])).expect_err("is unknown");
        assert_eq!(refusal.message, "Invalid filter 'fooo'");
    }
}
