//! What differs between two canonical specs, field by field, without a word that may be secret.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::canon;
use super::spec::{image_of, version_of_spec};
use crate::diff::FieldChange;
use crate::hidden::HIDDEN;

/// Longer values are cut.
const LONGEST: usize = 200;

/// Lists whose elements have a name, and the member that holds it.
const KEYED: [(&str, &str); 6] = [
    ("Mounts", "/Target"),
    ("Networks", "/Target"),
    ("Secrets", "/File/Name"),
    ("Configs", "/File/Name"),
    ("Ports", "/TargetPort"),
    ("Ulimits", "/Name"),
];

/// The fields that differ, by dotted path; what the user names himself stands in brackets.
pub(crate) fn changes(live: &Value, wanted: &Value) -> Vec<FieldChange> {
    let mut found = Vec::new();
    if live != wanted {
        walk(&Place::default(), Some(live), Some(wanted), &mut found);
    }
    found
}

/// Why a service is updated, in words: `image 1.2 -> 1.3, 2 other fields differ`.
pub(super) fn reason(live: &Value, wanted: &Value, changes: &[FieldChange]) -> String {
    let image = changes.iter().any(|change| change.field == "TaskTemplate.ContainerSpec.Image");
    let others = changes.len() - usize::from(image);
    match (image.then(|| image_words(live, wanted)), others) {
        (Some(image), 0) => image,
        (Some(image), 1) => format!("{image}, 1 other field differs"),
        (Some(image), others) => format!("{image}, {others} other fields differ"),
        (None, 1) => "1 field differs".to_owned(),
        (None, others) => format!("{others} fields differ"),
    }
}

fn image_words(live: &Value, wanted: &Value) -> String {
    let (live_image, wanted_image) = (image_of(live).unwrap_or_default(), image_of(wanted).unwrap_or_default());
    let ((from, from_digest), (to, to_digest)) = (canon::familiar(live_image), canon::familiar(wanted_image));
    let (from_version, to_version) = (version_of_spec(live), version_of_spec(wanted));
    if from == to {
        return match (from_digest, to_digest) {
            (Some(_), Some(_)) => format!("image {to_version} has a new digest"),
            _ => format!("image {to_version} is pinned to its digest"),
        };
    }
    let repository = |reference: &str, version: &str| {
        reference.strip_suffix(version).and_then(|name| name.strip_suffix(':')).unwrap_or(reference).to_owned()
    };
    if repository(&from, from_version.as_str()) == repository(&to, to_version.as_str()) {
        format!("image {from_version} -> {to_version}")
    } else {
        format!("image {from} -> {to}")
    }
}

/// Where in a spec.
#[derive(Debug, Clone, Default)]
struct Place {
    /// For people.
    path: String,
    /// The last member that is not the user's own word.
    member: String,
    /// Whether values here may be secret whatever they look like.
    secret: bool,
}

impl Place {
    /// A member of an object: the user's own word below labels and options, the Engine's everywhere else.
    fn member(&self, key: &str) -> Self {
        let free = matches!(self.member.as_str(), "Labels" | "Options" | "Sysctls" | "DriverOpts");
        let path = match (free, self.path.is_empty()) {
            (true, _) => format!("{}[{key}]", self.path),
            (false, true) => key.to_owned(),
            (false, false) => format!("{}.{key}", self.path),
        };
        let secret = self.secret || key == "Env" || self.member == "Options" || free && is_telling(key);
        Self { path, member: if free { self.member.clone() } else { key.to_owned() }, secret }
    }

    fn element(&self, key: &str) -> Self {
        Self { path: format!("{}[{key}]", self.path), member: String::new(), secret: self.secret }
    }
}

/// Goes down where two values differ.
fn walk(place: &Place, from: Option<&Value>, to: Option<&Value>, found: &mut Vec<FieldChange>) {
    let is = |test: fn(&Value) -> bool| from.is_none_or(test) && to.is_none_or(test);
    if is(Value::is_object) {
        for key in members(from).chain(members(to)).collect::<BTreeSet<_>>() {
            let from = from.and_then(|value| value.get(key));
            let to = to.and_then(|value| value.get(key));
            if from != to {
                walk(&place.member(key), from, to, found);
            }
        }
        return;
    }
    if is(Value::is_array)
        && let (Some(from), Some(to)) = (keyed(place, from), keyed(place, to))
    {
        for key in from.keys().chain(to.keys()).collect::<BTreeSet<_>>() {
            let (from, to) = (from.get(key), to.get(key));
            if from == to {
                continue;
            }
            let place = place.element(key);
            match from.xor(to).filter(|whole| is_plain(whole)) {
                Some(_) => found.push(FieldChange {
                    field: place.path.clone(),
                    from: shown(&place, from),
                    to: shown(&place, to),
                }),
                None => walk(&place, from, to, found),
            }
        }
        return;
    }
    found.push(FieldChange { field: place.path.clone(), from: shown(place, from), to: shown(place, to) });
}

fn members(value: Option<&Value>) -> impl Iterator<Item = &String> {
    value.and_then(Value::as_object).into_iter().flat_map(serde_json::Map::keys)
}

/// A list by the names of its elements; `None` where they have none or share one.
fn keyed(place: &Place, list: Option<&Value>) -> Option<BTreeMap<String, Value>> {
    let items = list.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let mut named = BTreeMap::new();
    for item in items {
        let (name, value) = if place.member == "Env" {
            let (name, value) = item.as_str()?.split_once('=').unwrap_or((item.as_str()?, ""));
            (name.to_owned(), Value::from(value))
        } else {
            let (_, pointer) = KEYED.iter().find(|(member, _)| *member == place.member)?;
            let name = item.pointer(pointer)?;
            (name.as_str().map_or_else(|| name.to_string(), str::to_owned), item.clone())
        };
        if named.insert(name, value).is_some() {
            return None;
        }
    }
    (place.member == "Env" || KEYED.iter().any(|(member, _)| *member == place.member)).then_some(named)
}

fn shown(place: &Place, value: Option<&Value>) -> Option<String> {
    let value = value?;
    let text = value.as_str().map_or_else(|| canon::text(value), str::to_owned);
    let is_command = matches!(place.member.as_str(), "Args" | "Command" | "Test");
    if place.secret || is_command && is_telling(&text) || has_credentials(&text) {
        return Some(HIDDEN.to_owned());
    }
    let mut shown: String = text.chars().take(LONGEST).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    Some(shown)
}

/// Whether an element can be shown as a whole: it has no options, which may be secret.
fn is_plain(element: &Value) -> bool {
    let text = canon::text(element);
    !text.contains("Options\"") && !text.contains("DriverOpts\"")
}

/// Whether a name or command line speaks of a secret.
pub(crate) fn is_telling(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    ["pass", "secret", "token", "key", "credential", "auth", "private", "cert"].iter().any(|word| text.contains(word))
}

/// Whether there is `user:password@` in an address.
fn has_credentials(text: &str) -> bool {
    text.split("://").skip(1).any(|rest| {
        let authority = rest.split(['/', '?', '#', ' ', '"']).next().unwrap_or_default();
        authority.contains('@')
    })
}
