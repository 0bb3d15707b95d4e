//! Two files against what they become together. Whole stacks are in the corpus.

use super::*;

fn strings(pairs: &[(&str, Option<&str>)]) -> BTreeMap<String, Option<String>> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), value.map(str::to_owned))).collect()
}

#[test]
fn an_empty_variable_overrides_only_an_empty_one() {
    let mut base = strings(&[("full", Some("1")), ("empty", Some("")), ("none", None)]);
    let over = strings(&[("full", Some("")), ("empty", None), ("none", Some("")), ("new", None)]);
    merge_environment(&mut base, over);
    assert_eq!(base, strings(&[("full", Some("1")), ("empty", None), ("none", Some("")), ("new", None)]));
}

#[test]
fn keyed_lists_keep_one_entry_per_key_unless_the_base_is_empty() {
    let check = |base: &[(u8, char)], over: &[(u8, char)], expected: &[(u8, char)]| {
        let mut merged = base.to_vec();
        keyed(&mut merged, over.to_vec(), |entry| entry.0);
        assert_eq!(merged, expected);
    };
    check(&[(2, 'a'), (1, 'b'), (1, 'c')], &[], &[(1, 'c'), (2, 'a')]);
    check(&[(2, 'a')], &[(2, 'x'), (1, 'y')], &[(1, 'y'), (2, 'x')]);
    check(&[], &[(2, 'x'), (2, 'y')], &[(2, 'x'), (2, 'y')]);
}

#[test]
fn a_duration_of_zero_overrides_nothing() {
    for (base, over, expected) in
        [(Some(5), Some(0), Some(5)), (Some(5), Some(7), Some(7)), (Some(5), None, Some(5)), (None, Some(0), Some(0))]
    {
        let mut merged = base;
        duration(&mut merged, over);
        assert_eq!(merged, expected);
    }
}

#[test]
fn logging_options_meet_only_for_one_driver() {
    let logging = |driver: &str, options: Option<&str>| Logging {
        driver: driver.to_owned(),
        options: options.map(|name| Strings::from([(name.to_owned(), String::new())])),
    };
    let check = |mut base: Logging, over: Logging, driver: &str, options: &[&str]| {
        merge_logging(&mut base, over);
        assert_eq!(base.driver, driver);
        assert_eq!(base.options.unwrap_or_default().into_keys().collect::<Vec<_>>(), options);
    };
    check(logging("a", Some("x")), logging("", Some("y")), "a", &["x", "y"]);
    check(logging("", Some("x")), logging("a", Some("y")), "a", &["x", "y"]);
    check(logging("a", Some("x")), logging("b", Some("y")), "b", &["y"]);
    check(logging("a", None), logging("a", Some("y")), "a", &[]);
}
