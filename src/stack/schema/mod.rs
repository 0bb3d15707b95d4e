//! What a stack file may say: its version, the keys, and the type of each value.

mod tables;

use std::collections::HashSet;

use super::findings::{Findings, Place};
use super::load::{ports, units};
use super::yaml::{Cursor, Yaml};

/// The version that a file without one has.
const NEWEST: u8 = 13;

/// No key that is known is as long.
const LONGEST_WORD: usize = 64;

/// What a value must be.
#[derive(Debug)]
enum Rule {
    Text,
    TextOrNull,
    Bool,
    Int,
    Number,
    NumberOrText,
    /// A text in the syntax of Go's durations.
    Duration,
    /// A string or a list of unique strings.
    TextOrTexts,
    /// A list of strings; `true`: each only once.
    Texts(bool),
    /// A list of numbers and strings, each only once.
    NumbersOrTexts,
    /// A mapping to strings, numbers and null, or a list of unique strings.
    Dict,
    /// The same, but without numbers: they would not survive.
    Hosts,
    /// A mapping to strings and numbers; `true`: and null.
    Scalars(bool),
    /// A string (or with `true` a number) in the short syntax of ports, or a mapping.
    Port(&'static Rule),
    /// A mapping with known keys.
    Keys(&'static [Key], Others),
    /// A mapping with any keys; `true`: only names made of letters, digits, `.`, `_` and `-`.
    Map(bool, &'static Rule),
    List(&'static Rule),
    /// A list of items that differ from each other.
    Unique(&'static Rule),
    /// Null or what the rule says.
    OrNull(&'static Rule),
    /// A string or what the rule says.
    OrText(&'static Rule),
    /// A boolean or what the rule says.
    OrBool(&'static Rule),
    /// A whole number or what the rule says.
    OrInt(&'static Rule),
    /// A list of unique strings or what the rule says.
    OrTexts(&'static Rule),
}

/// What happens to keys that are not in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Others {
    Refused,
    /// `x-…` is taken from this minor version on.
    Extensions(u8),
    Taken,
}

/// A key of a mapping.
#[derive(Debug)]
struct Key {
    name: &'static str,
    /// The minor version that brought it.
    since: u8,
    required: bool,
    rule: Rule,
}

/// The version by whose schema a file is checked: the text, which must be equal in all files, and its minor number.
pub(crate) fn version(root: &Cursor<'_>, findings: &mut Findings) -> Option<(String, u8)> {
    let newest = || Some((format!("3.{NEWEST}"), NEWEST));
    let Some(found) = root.get("version") else { return newest() };
    let Some(text) = found.text() else {
        findings.refuse(&found.place, "the version must be a string: put it in quotes, or leave it out");
        return None;
    };
    if matches!(text, "" | "3") {
        return newest();
    }
    let minor = text.strip_prefix("3.").filter(|minor| !minor.starts_with('0') || *minor == "0");
    let minor = minor.and_then(|minor| minor.parse().ok()).filter(|minor| *minor <= NEWEST);
    if minor.is_none() {
        let message = format!("`{text}` is not a known version of the stack file: use 3.0 to 3.{NEWEST}, or none");
        findings.refuse(&found.place, message);
    }
    minor.map(|minor| (text.to_owned(), minor))
}

/// Checks a whole file, variables filled in.
pub(crate) fn check(root: &Cursor<'_>, minor: u8, findings: &mut Findings) {
    for (_, service) in root.get("services").iter().flat_map(Cursor::entries) {
        for (key, hint) in tables::FORBIDDEN {
            if let Some(found) = service.get(key) {
                findings.refuse(&found.place, format!("`{key}` does not exist in Swarm: {hint}"));
            }
        }
    }
    Checker { minor, findings }.check(root, &tables::ROOT);
    refuse_endless(root, findings);
}

/// No number that is none or has no end may stand anywhere: the docker command cannot write it down.
fn refuse_endless(value: &Cursor<'_>, findings: &mut Findings) {
    if let Yaml::Float(number) = value.yaml()
        && !number.is_finite()
    {
        findings.refuse(&value.place, "`.inf` and `.nan` cannot be used in a stack file: put the value in quotes");
    }
    value.items().for_each(|item| refuse_endless(&item, findings));
    value.entries().for_each(|(_, item)| refuse_endless(&item, findings));
}

/// Warns of what has no effect in Swarm although it is allowed.
pub(crate) fn warn_of_ignored(root: &Cursor<'_>, findings: &mut Findings) {
    for (_, service) in root.get("services").iter().flat_map(Cursor::entries) {
        for (key, hint) in tables::IGNORED {
            if let Some(found) = service.get(key) {
                findings.warn(&found.place, format!("Swarm ignores `{key}`{hint}"));
            }
        }
        if let Some(restart) = service.get("restart") {
            let replaced = service.some("deploy").is_some_and(|deploy| deploy.some("restart_policy").is_some());
            let message = if replaced {
                "`restart` is ignored: `deploy.restart_policy` takes its place"
            } else {
                "`restart` is taken for `deploy.restart_policy`, which Swarm knows: write that instead"
            };
            findings.warn(&restart.place, message);
        }
        for (_, network) in service.get("networks").iter().flat_map(Cursor::entries) {
            for key in ["ipv4_address", "ipv6_address"] {
                if let Some(found) = network.get(key) {
                    findings.warn(&found.place, format!("Swarm ignores `{key}`: it chooses the addresses itself"));
                }
            }
        }
    }
}

struct Checker<'a> {
    minor: u8,
    findings: &'a mut Findings,
}

impl Checker<'_> {
    fn check(&mut self, value: &Cursor<'_>, rule: &Rule) {
        if value.is_broken() || is_short_form(value, rule) {
            return;
        }
        match rule {
            Rule::Text => self.expect(value, value.text().is_some(), "a string"),
            Rule::TextOrNull => self.expect(value, value.text().is_some() || value.is_null(), "a string"),
            Rule::Bool => self.expect(value, value.bool().is_some(), "true or false"),
            Rule::Int => self.expect(value, is_whole(value), "a whole number"),
            Rule::Number => self.expect(value, is_number(value), "a number"),
            Rule::NumberOrText => self.expect(value, is_number(value) || is_words(value), "a string or number"),
            Rule::Duration => self.duration(value),
            Rule::TextOrTexts => self.texts(value, true, "a string or a list of strings"),
            Rule::Texts(unique) => self.texts(value, *unique, "a list of strings"),
            Rule::NumbersOrTexts => self.numbers_or_texts(value),
            Rule::Dict => self.dict(value, true),
            Rule::Hosts => self.dict(value, false),
            Rule::Scalars(null) => self.scalars(value, *null),
            Rule::Port(long) => self.port(value, long),
            Rule::Keys(keys, others) => self.keys(value, keys, *others),
            Rule::Map(named, rule) => self.map(value, *named, rule),
            Rule::List(rule) => {
                self.expect(value, matches!(value.yaml(), Yaml::List(_)), "a list");
                value.items().for_each(|item| self.check(&item, rule));
            }
            Rule::Unique(rule) => {
                self.expect(value, matches!(value.yaml(), Yaml::List(_)), "a list");
                value.items().for_each(|item| self.check(&item, rule));
                self.unique(value);
            }
            Rule::OrTexts(_) if matches!(value.yaml(), Yaml::List(_)) => {
                self.texts(value, true, "a list of strings or a mapping");
            }
            Rule::OrNull(rule) | Rule::OrText(rule) | Rule::OrBool(rule) | Rule::OrInt(rule) | Rule::OrTexts(rule) => {
                self.check(value, rule);
            }
        }
    }

    fn expect(&mut self, value: &Cursor<'_>, fits: bool, wanted: &str) {
        if !fits {
            let quotes = matches!(value.yaml(), Yaml::Int(_) | Yaml::Float(_) | Yaml::Bool(_) | Yaml::Time(_))
                && wanted.contains("string");
            let remedy = if quotes { ": put it in quotes" } else { "" };
            self.findings.refuse(&value.place, format!("must be {wanted}, not {}{remedy}", value.yaml().kind()));
        }
    }

    fn duration(&mut self, value: &Cursor<'_>) {
        self.expect(value, value.text().is_some(), "a duration such as `10s`");
        if let Some(Err(message)) = value.text().map(units::duration) {
            self.findings.refuse(&value.place, message);
        }
    }

    fn texts(&mut self, value: &Cursor<'_>, unique: bool, wanted: &str) {
        self.expect(value, matches!(value.yaml(), Yaml::List(_)), wanted);
        for item in value.items().filter(|item| !item.is_broken()) {
            self.expect(&item, item.text().is_some(), "a string");
        }
        if unique {
            self.unique(value);
        }
    }

    /// Items are compared as they stand: `80` and `"80"` differ.
    fn unique(&mut self, value: &Cursor<'_>) {
        let mut seen = HashSet::new();
        for item in value.items().filter(|item| !item.is_broken()) {
            if !seen.insert(item.yaml().to_key()) {
                self.findings.refuse(&item.place, "stands twice in the list: remove one");
            }
        }
    }

    fn numbers_or_texts(&mut self, value: &Cursor<'_>) {
        self.expect(value, matches!(value.yaml(), Yaml::List(_)), "a list");
        for item in value.items().filter(|item| !item.is_broken()) {
            self.expect(&item, is_number(&item) || item.text().is_some(), "a string or number");
        }
        self.unique(value);
    }

    fn dict(&mut self, value: &Cursor<'_>, numbers: bool) {
        if matches!(value.yaml(), Yaml::List(_)) {
            return self.texts(value, true, "a list of strings");
        }
        self.expect(value, matches!(value.yaml(), Yaml::Map(_)), "a mapping or a list of strings");
        for (key, item) in value.entries().filter(|(_, item)| !item.is_broken()) {
            let fits = item.is_null() || is_words(&item) || (numbers && is_number(&item));
            self.expect(&item, fits, if numbers { "a string, number or null" } else { "a string" });
            if key.is_empty() {
                self.findings.refuse(&item.place, "the empty key is not allowed");
            }
        }
    }

    fn scalars(&mut self, value: &Cursor<'_>, null: bool) {
        self.expect(value, matches!(value.yaml(), Yaml::Map(_)), "a mapping");
        for (_, item) in value.entries().filter(|(_, item)| !item.is_broken()) {
            let fits = (null && item.is_null()) || is_words(&item) || is_number(&item);
            self.expect(&item, fits, "a string or number");
        }
    }

    fn port(&mut self, value: &Cursor<'_>, long: &Rule) {
        match value.yaml() {
            Yaml::Map(_) => self.check(value, long),
            Yaml::Text(_) | Yaml::Int(_) => {
                let spec = value.yaml().to_words().unwrap_or_default();
                if let Err(message) = ports::Short::read(&spec) {
                    self.findings.refuse(&value.place, message);
                }
            }
            _ => self.expect(value, false, "a port such as `8080:80`, or a mapping"),
        }
    }

    fn map(&mut self, value: &Cursor<'_>, named: bool, rule: &Rule) {
        self.expect(value, matches!(value.yaml(), Yaml::Map(_)), "a mapping");
        for (key, item) in value.entries() {
            let valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
            if named && (key.is_empty() || !key.chars().all(valid)) {
                let message = format!("`{key}` is not a name that can be used here: use a-z, A-Z, 0-9, `.`, `_`, `-`");
                self.findings.refuse(&item.place, message);
            }
            self.check(&item, rule);
        }
    }

    fn keys(&mut self, value: &Cursor<'_>, keys: &[Key], others: Others) {
        self.expect(value, matches!(value.yaml(), Yaml::Map(_)), "a mapping");
        for (name, item) in value.entries() {
            match keys.iter().find(|key| key.name == name) {
                Some(key) if key.since <= self.minor => self.check(&item, &key.rule),
                Some(key) => {
                    let (minor, since) = (self.minor, key.since);
                    let message = format!("`{name}` needs version 3.{since}, but the file says 3.{minor}: raise it");
                    self.findings.refuse(&item.place, message);
                }
                None => self.other(name, &item.place, keys, others),
            }
        }
        if matches!(value.yaml(), Yaml::Map(_)) {
            for key in keys.iter().filter(|key| key.required && value.get(key.name).is_none()) {
                self.findings.refuse(&value.place, format!("`{}` is missing", key.name));
            }
        }
    }

    fn other(&mut self, name: &str, place: &Place, keys: &[Key], others: Others) {
        let taken = match others {
            Others::Refused => false,
            Others::Extensions(since) => name.starts_with("x-") && since <= self.minor,
            Others::Taken => true,
        };
        let forbidden = tables::FORBIDDEN.iter().any(|(key, _)| *key == name);
        if taken || forbidden {
            return;
        }
        let near = keys.iter().map(|key| key.name).find(|known| is_near(known, name));
        let remedy = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => "`docker stack deploy` does not know it, so it would have no effect: remove it".to_owned(),
        };
        self.findings.refuse(place, format!("unknown key `{name}`: {remedy}"));
    }
}

/// Whether a value is the short one of the two forms that a rule takes.
fn is_short_form(value: &Cursor<'_>, rule: &Rule) -> bool {
    match rule {
        Rule::OrNull(_) => value.is_null(),
        Rule::OrText(_) | Rule::TextOrTexts => value.text().is_some(),
        Rule::OrBool(_) => value.bool().is_some(),
        Rule::OrInt(_) => is_whole(value),
        _ => false,
    }
}

/// Also one that has no end: those are refused wherever they stand.
fn is_number(value: &Cursor<'_>) -> bool {
    matches!(value.yaml(), Yaml::Int(_) | Yaml::Float(_))
}

fn is_whole(value: &Cursor<'_>) -> bool {
    match value.yaml() {
        Yaml::Int(_) => true,
        Yaml::Float(value) => value.is_finite() && value.fract() == 0.0,
        _ => false,
    }
}

/// Whether a value counts as a string where strings and numbers are taken: unquoted dates do.
fn is_words(value: &Cursor<'_>) -> bool {
    matches!(value.yaml(), Yaml::Text(_) | Yaml::Time(_))
}

/// Whether one slip of the finger lies between two words: a letter too many, too few, wrong, or swapped.
fn is_near(known: &str, found: &str) -> bool {
    if found.len() > LONGEST_WORD {
        return false;
    }
    let (known, found): (Vec<char>, Vec<char>) = (known.chars().collect(), found.chars().collect());
    let prefix = known.iter().zip(&found).take_while(|(a, b)| a == b).count();
    let (known, found) = (&known[prefix..], &found[prefix..]);
    let suffix = known.iter().rev().zip(found.iter().rev()).take_while(|(a, b)| a == b).count();
    let (known, found) = (&known[..known.len() - suffix], &found[..found.len() - suffix]);
    match (known, found) {
        ([a, b], [c, d]) => a == d && b == c,
        (known, found) => known.len() <= 1 && found.len() <= 1,
    }
}

#[cfg(test)]
mod tests;
