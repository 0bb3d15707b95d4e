//! Whether people are told of every setting, and of none that is not read.

use std::collections::{BTreeMap, BTreeSet};

/// Where settings are read.
const SOURCES: [&str; 7] = [
    include_str!("../config.rs"),
    include_str!("file.rs"),
    include_str!("../auth/settings.rs"),
    include_str!("../telemetry/settings.rs"),
    include_str!("../cli/mod.rs"),
    include_str!("../cli/engine.rs"),
    include_str!("../cli/serve.rs"),
];
const EXAMPLE: &str = include_str!("../../../.env.example");
const PAGE: &str = include_str!("../../../docs/configuration.md");

fn is_name(text: &str) -> bool {
    text.len() > 3
        && text.starts_with(|first: char| first.is_ascii_uppercase())
        && text.chars().all(|one| one.is_ascii_uppercase() || one.is_ascii_digit() || one == '_')
}

/// The names that stand alone between quotes, outside of tests.
fn read() -> BTreeSet<&'static str> {
    let code = SOURCES.iter().filter_map(|source| source.split("#[cfg(test)]").next());
    // `HOME` is no setting of ours.
    code.flat_map(|code| code.split('"')).filter(|text| is_name(text) && *text != "HOME").collect()
}

/// The names in the first columns of the tables.
fn on_the_page() -> BTreeSet<&'static str> {
    let rows = PAGE.lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next());
    rows.flat_map(|cell| cell.split('`')).filter(|text| is_name(text)).collect()
}

fn in_the_example() -> BTreeSet<&'static str> {
    let lines = EXAMPLE.lines().map(|line| line.strip_prefix('#').unwrap_or(line));
    lines.filter_map(|line| Some(line.split_once('=')?.0)).filter(|name| is_name(name)).collect()
}

/// A secret is named by itself, or by the file that holds it.
fn is_among(name: &str, known: &BTreeSet<&str>) -> bool {
    known.contains(name) || known.contains(format!("{name}_FILE").as_str())
}

#[test]
fn every_setting_stands_on_the_page_and_in_the_example_and_no_other_does() {
    let (read, page, example) = (read(), on_the_page(), in_the_example());
    assert!(read.contains("AUTH") && read.len() > 40, "{read:?}");
    for name in &read {
        assert!(page.contains(name), "{name} is not in docs/configuration.md");
        assert!(is_among(name, &example), "{name} is not in .env.example");
    }
    for name in page.iter().chain(&example) {
        let of_secret = name.strip_suffix("_FILE").is_some_and(|name| read.contains(name));
        assert!(read.contains(name) || of_secret, "nobody reads {name}");
        assert!(page.contains(name), "{name} is not in docs/configuration.md");
    }
}

/// What `[[notify]]` understands.
fn keys_of_notify() -> BTreeSet<&'static str> {
    let code =
        include_str!("notify.rs").split("struct Entry").nth(1).unwrap().split("struct Repository").next().unwrap();
    let lines = code.lines().filter(|line| !line.trim().starts_with("//"));
    let pairs = lines.flat_map(|line| line.split(['{', ',']));
    let names = pairs.filter_map(|pair| Some(pair.trim().split_once(": ")?.0));
    names.filter(|name| name.chars().all(|one| one.is_ascii_lowercase() || one == '_')).collect()
}

/// The keys of `[[notify]]` in the example, and for each whether a line above its first appearance says what it is.
fn keys_of_the_example() -> BTreeMap<&'static str, bool> {
    let example = include_str!("../../../release-manager.example.toml");
    let (_, example) = example.split_once("[[notify]]").unwrap();
    let mut keys = BTreeMap::new();
    let mut is_explained = false;
    for line in example.lines() {
        let pair = line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line);
        match pair.split_once(" = ") {
            Some((key, _)) if !pair.starts_with('#') => {
                keys.entry(key).or_insert(is_explained);
                is_explained = false;
            }
            _ => is_explained = line.starts_with("# "),
        }
    }
    keys
}

#[test]
fn every_key_of_notify_stands_in_the_table_and_with_its_meaning_in_the_example_and_no_other_does() {
    let read = keys_of_notify();
    assert!(read.contains("kind") && read.contains("password_file") && read.len() > 18, "{read:?}");
    let table = PAGE.split("| key of `[[notify]]`").nth(1).unwrap().split("\n\n").next().unwrap();
    let cells = table.lines().skip(2).filter_map(|line| line.strip_prefix("| ")?.split(" |").next());
    let table: BTreeSet<&str> = cells.flat_map(|cell| cell.split(", ")).map(|key| key.trim_matches('`')).collect();
    assert_eq!(table, read, "the table in docs/configuration.md");
    let example = keys_of_the_example();
    assert_eq!(example.keys().copied().collect::<BTreeSet<_>>(), read, "release-manager.example.toml");
    for (key, is_explained) in example {
        assert!(is_explained, "`{key}` in release-manager.example.toml has no line above it that says what it is");
    }
}
