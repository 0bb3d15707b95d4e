//! Texts against trees.

use proptest::prelude::*;

use super::*;

/// A tree as one line: enough to see types.
fn show(node: &Node) -> String {
    match &node.yaml {
        Yaml::Null => "null".to_owned(),
        Yaml::Bool(value) => value.to_string(),
        Yaml::Int(value) => format!("int {value}"),
        Yaml::Float(value) => format!("float {}", format_float(*value)),
        Yaml::Text(text) => format!("{text:?}"),
        Yaml::Time(time) => format!("time {time}"),
        Yaml::Broken => "broken".to_owned(),
        Yaml::List(items) => format!("[{}]", items.iter().map(show).collect::<Vec<_>>().join(", ")),
        Yaml::Map(entries) => {
            let entry = |entry: &Entry| format!("{}: {}", entry.key, show(&entry.node));
            format!("{{{}}}", entries.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
    }
}

#[track_caller]
fn check(text: &str, expected: &str) {
    assert_eq!(parse(text).as_ref().map(show).as_deref(), Ok(expected), "{text}");
}

#[track_caller]
fn check_value(text: &str, expected: &str) {
    check(&format!("v: {text}"), &format!("{{v: {expected}}}"));
}

#[track_caller]
fn check_refused(text: &str, line: usize, part: &str) {
    let error = parse(text).expect_err("the text should be refused");
    assert!(error.line == line && error.message.contains(part), "{text}: {error:?}");
}

#[test]
fn whole_numbers_have_four_bases() {
    for (text, expected) in [
        ("0755", "int 493"),
        ("010", "int 8"),
        ("0", "int 0"),
        ("00", "int 0"),
        ("0x1F", "int 31"),
        ("0b101", "int 5"),
        ("0o17", "int 15"),
        ("-0x10", "int -16"),
        ("+7", "int 7"),
        ("1_000", "int 1000"),
        ("18446744073709551615", "int 18446744073709551615"),
        ("-9223372036854775808", "int -9223372036854775808"),
    ] {
        check_value(text, expected);
    }
}

#[test]
fn what_is_no_whole_number_is_a_float_or_a_string() {
    for (text, expected) in [
        ("08", "float 8"),
        ("0778", "float 778"),
        ("18446744073709551616", "float 1.8446744073709552e+19"),
        ("1.10", "float 1.1"),
        ("1.", "float 1"),
        (".5", "float 0.5"),
        ("1e3", "float 1000"),
        ("1000000.0", "float 1e+06"),
        ("0.00001", "float 1e-05"),
        ("-0.0", "float -0"),
        (".inf", "float +Inf"),
        (".NaN", "float NaN"),
        ("22:30", "\"22:30\""),
        ("1.2.3", "\"1.2.3\""),
        ("1e400", "\"1e400\""),
        ("0xfg", "\"0xfg\""),
        ("'5'", "\"5\""),
        ("+", "\"+\""),
    ] {
        check_value(text, expected);
    }
}

#[test]
fn only_true_and_false_are_booleans() {
    for (text, expected) in
        [("true", "true"), ("False", "false"), ("TRUE", "true"), ("yes", "\"yes\""), ("on", "\"on\""), ("n", "\"n\"")]
    {
        check_value(text, expected);
    }
    check("y: 1\non: 2", "{y: int 1, on: int 2}");
}

#[test]
fn nothing_is_null() {
    for text in ["", "~", "null", "Null", "NULL"] {
        check_value(text, "null");
    }
    check_value("''", "\"\"");
}

#[test]
fn dates_are_printed_as_go_prints_them() {
    for (text, expected) in [
        ("2020-01-02", "time 2020-01-02 00:00:00 +0000 UTC"),
        ("2020-1-2", "time 2020-01-02 00:00:00 +0000 UTC"),
        ("2001-12-14t21:59:43.10-05:00", "time 2001-12-14 21:59:43.1 -0500 -0500"),
        ("2001-12-14 21:59:43", "time 2001-12-14 21:59:43 +0000 UTC"),
        ("2001-12-14T21:59:43Z", "time 2001-12-14 21:59:43 +0000 UTC"),
        ("2020-13-01", "\"2020-13-01\""),
        ("2020-01-02x", "\"2020-01-02x\""),
        ("2025.04.0", "\"2025.04.0\""),
        ("20200102", "int 20200102"),
    ] {
        check_value(text, expected);
    }
}

#[test]
fn tags_decide_the_type() {
    check_value("!!str 5", "\"5\"");
    check_value("! 5", "\"5\"");
    check_value("!!float 5", "float 5");
    check_refused("v: !!int x", 1, "!!int");
    check_refused("v: !reset x", 1, "!reset");
}

#[test]
fn explicit_keys_win_over_merged_ones_and_earlier_merges_over_later() {
    check("a: &a {x: 1, y: 2}\nb: {y: 3, <<: *a}", "{a: {x: int 1, y: int 2}, b: {y: int 3, x: int 1}}");
    check("v: {<<: [{x: 1}, {x: 2, y: 3}]}", "{v: {x: int 1, y: int 3}}");
    check("v: {'<<': 5}", "{v: {<<: int 5}}");
    check_refused("v: {<<: 5}", 1, "takes a mapping");
    check_refused("v: {<<: [5]}", 1, "takes a mapping");
}

#[test]
fn only_the_first_document_counts() {
    check("a: 1\n---\nb: [", "{a: int 1}");
    check("\u{feff}---\na: 1\r\n", "{a: int 1}");
}

#[test]
fn what_cannot_be_used_is_refused_with_its_line() {
    check_refused("", 0, "empty");
    check_refused("# nothing\n", 0, "empty");
    check_refused("- a", 1, "must be a mapping");
    check_refused("text", 1, "must be a mapping");
    check_refused("a: 1\nb: 2\na: 3", 3, "`a` stands twice");
    check_refused("a:\n  80: x", 2, "must be a string, not a number");
    check_refused("a:\n  true: x", 2, "must be a string, not a boolean");
    check_refused("a:\n  ? [x]\n  : y", 2, "must be a string");
    check_refused("a: 1\nb: [", 3, "not valid YAML");
    check_refused("a: *nobody", 1, "not valid YAML");
    check_refused("a: &a {b: *a}", 1, "contains itself");
    check_refused("a: 1\nb: \u{7}", 2, "control character");
}

#[test]
fn size_and_depth_are_bounded() {
    let bomb = (1..9).fold("a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned(), |text, level| {
        let below = format!("*a{}", level - 1);
        format!("{text}a{level}: &a{level} [{}]\n", [below.as_str(); 9].join(", "))
    });
    check_refused(&bomb, 6, "too large");
    let long = format!("a: &a {}\nb: [{}]", "x".repeat(500_000), vec!["*a"; 100].join(", "));
    check_refused(&long, 2, "too large");
    check_refused(&format!("a: {}", "[".repeat(150)), 1, "nested too deeply");
    check_refused(&format!("a: {}", "[".repeat(5000)), 1, "not valid YAML");
    check_refused(&format!("a: {}", "x".repeat(MAX_BYTES)), 0, "1 MiB");
}

#[test]
fn white_space_without_a_meaning_may_stand_as_people_set_it() {
    for (text, expected) in [
        ("v: [\n  \"a\"\n]\n", "{v: [\"a\"]}"),
        ("o:\n  v: [\n    \"a\",\n\"b\"\n  ]\n  w: 1\n", "{o: {v: [\"a\", \"b\"], w: int 1}}"),
        ("o:\n  v: {\n  \"a\": b\n  }\n", "{o: {v: {a: \"b\"}}}"),
        ("v: \"a\nb\n\n c\"\nw: 'd\n\te'\n", "{v: \"a b\\nc\", w: \"d e\"}"),
        ("v:\ta\nw: [\ta,\n\tb\t]\n", "{v: \"a\", w: [\"a\", \"b\"]}"),
        ("v: |\n  [ \"a\n  b\nw: [\n\"c\"\n]\n", "{v: \"[ \\\"a\\nb\\n\", w: [\"c\"]}"),
        ("v: a [b\n  [c\nw: [\n\"d\"\n]\n", "{v: \"a [b [c\", w: [\"d\"]}"),
        ("v: it's # [\nw: [\n\"d\"\n]\n", "{v: \"it's\", w: [\"d\"]}"),
        ("v: [cat, -]\n", "{v: [\"cat\", \"-\"]}"),
        ("v: \"a\"# b\n", "{v: \"a\"}"),
    ] {
        check(text, expected);
    }
}

#[test]
fn what_is_never_closed_is_refused_where_it_was_found() {
    check_refused("v: [\n\"a\"\nw: 1\n", 2, "not valid YAML");
    check_refused("v: \"a\n---\nb\"\n", 1, "not valid YAML");
    check_refused(&format!("{}v: [\n\"a\"\n]\n", " ".repeat(2000)), 2, "not valid YAML");
}

#[test]
fn a_mistake_behind_such_white_space_is_told_where_it_stands() {
    check_refused("v: [\n\"a\"\n]\nw: \"b\" c\n", 4, "not valid YAML");
}

#[test]
fn whatever_is_in_the_corpus_stays_as_it_is_when_it_is_laid_out() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/stack/testdata");
    let mut seen = 0;
    for file in std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()) {
        let Ok(text) = std::fs::read_to_string(&file) else { continue };
        let Ok(tree) = read(&text) else { continue };
        let relaid = layout::relaid(&text, MAX_BYTES).unwrap_or_else(|| text.clone());
        assert_eq!(relaid.lines().count(), text.lines().count());
        let again = read(&relaid).unwrap_or_else(|error| panic!("{}: {:?}", file.display(), error.into_error()));
        assert_eq!(again.as_ref().map(show), tree.as_ref().map(show), "{}", file.display());
        seen += 1;
    }
    assert!(seen > 60, "{seen}");
}

proptest! {
    #[test]
    fn what_a_strict_parser_takes_is_the_same_laid_out(text in r#"[ab&*|'"\[\]{}:,#?\-0-9 \n\t]{0,60}"#) {
        let text = format!("v: {text}\n");
        if let (Ok(Some(tree)), Some(relaid)) = (read(&text), layout::relaid(&text, MAX_BYTES)) {
            let again = read(&relaid).ok().flatten();
            prop_assert_eq!(again.as_ref().map(show), Some(show(&tree)), "{}", relaid);
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in any::<String>()) {
        let _ = parse(&text);
    }

    #[test]
    fn nothing_that_looks_like_yaml_makes_it_panic(text in r#"[ab&*<!|>'"\[\]{}:,#?%@\-~0-9.\n \t_x]{0,80}"#) {
        let _ = parse(&text);
    }

    #[test]
    fn a_quoted_text_comes_back_as_it_is(text in "[ -~]*") {
        let quoted = text.replace('\'', "''");
        let node = parse(&format!("v: '{quoted}'")).map(|node| show(&node));
        prop_assert_eq!(node, Ok(format!("{{v: {text:?}}}")));
    }
}
