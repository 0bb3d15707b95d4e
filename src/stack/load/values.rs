//! The small forms that many keys share.

use std::collections::BTreeMap;

use super::model::Strings;
use super::units;
use crate::stack::findings::Findings;
use crate::stack::yaml::{Cursor, Yaml};

/// A string, empty if the key is not there.
pub(super) fn text(parent: &Cursor<'_>, key: &str) -> String {
    parent.get(key).and_then(|value| value.text().map(str::to_owned)).unwrap_or_default()
}

/// A string that is not empty.
pub(super) fn named(parent: &Cursor<'_>, key: &str) -> Option<String> {
    Some(text(parent, key)).filter(|text| !text.is_empty())
}

pub(super) fn flag(parent: &Cursor<'_>, key: &str) -> bool {
    parent.get(key).and_then(|value| value.bool()).unwrap_or(false)
}

/// A number that cannot be negative.
pub(super) fn count(parent: &Cursor<'_>, key: &str, findings: &mut Findings) -> Option<u64> {
    let value = parent.get(key)?;
    let number = value.int()?;
    findings.take(&value.place, u64::try_from(number).map_err(|_| "must not be negative".to_owned()))
}

pub(super) fn integer(parent: &Cursor<'_>, key: &str, findings: &mut Findings) -> Option<i64> {
    let value = parent.get(key)?;
    let number = value.int()?;
    findings.take(&value.place, i64::try_from(number).map_err(|_| "is too large".to_owned()))
}

/// Nanoseconds. What is no duration was reported by the schema.
pub(super) fn duration(parent: &Cursor<'_>, key: &str) -> Option<i64> {
    parent.get(key).and_then(|value| value.text().and_then(|text| units::duration(text).ok()))
}

/// A list of strings.
pub(super) fn texts(parent: &Cursor<'_>, key: &str) -> Vec<String> {
    let item = |item: Cursor<'_>| item.text().map(str::to_owned);
    parent.get(key).map(|list| list.items().filter_map(item).collect()).unwrap_or_default()
}

/// A string or a list of strings.
pub(super) fn text_or_texts(parent: &Cursor<'_>, key: &str) -> Vec<String> {
    named(parent, key).map_or_else(|| texts(parent, key), |text| vec![text])
}

/// A mapping, or a list of `key=value`; no value is an empty one.
pub(super) fn dict(parent: &Cursor<'_>, key: &str) -> Strings {
    optional_dict(parent, key).into_iter().map(|(key, value)| (key, value.unwrap_or_default())).collect()
}

/// A mapping, or a list of `key=value`; `None` stands for null and for an item without `=`.
pub(super) fn optional_dict(parent: &Cursor<'_>, key: &str) -> BTreeMap<String, Option<String>> {
    let Some(found) = parent.get(key) else { return BTreeMap::new() };
    if !matches!(found.yaml(), Yaml::List(_)) {
        return found.entries().map(|(key, value)| (key.to_owned(), value.yaml().to_words())).collect();
    }
    let pair = |text: &str| match text.split_once('=') {
        Some((key, value)) => (key.to_owned(), Some(value.to_owned())),
        None => (text.to_owned(), None),
    };
    found.items().filter_map(|item| item.text().map(pair)).collect()
}

/// Bytes or billionths of a cpu, by the given grammar; 0 if the key is not there.
pub(super) fn amount(
    parent: &Cursor<'_>,
    key: &str,
    parse: fn(&str) -> Result<i64, String>,
    findings: &mut Findings,
) -> i64 {
    let Some(value) = parent.get(key) else { return 0 };
    value.text().and_then(|text| findings.take(&value.place, parse(text))).unwrap_or_default()
}
