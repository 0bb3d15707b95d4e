//! Texts with variables against what they become.

use proptest::prelude::*;

use super::*;

fn variables() -> Variables {
    [("X", "value"), ("E", ""), ("lower", "l"), ("N", "${X}"), ("_1", "one")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

#[track_caller]
fn check(table: &[(&str, &str)]) {
    for (text, expected) in table {
        assert_eq!(substitute(text, &variables()).as_deref(), Ok(*expected), "{text}");
    }
}

#[track_caller]
fn check_refused(text: &str, expected: &[Trouble]) {
    assert_eq!(substitute(text, &variables()), Err(expected.to_vec()), "{text}");
}

#[test]
fn a_variable_stands_with_or_without_braces() {
    check(&[("$X", "value"), ("${X}", "value"), ("a$X.b${X}c", "avalue.bvaluec"), ("$_1${lower}", "onel"), ("$E", "")]);
}

#[test]
fn a_value_is_not_filled_in_again() {
    check(&[("$N", "${X}"), ("${N}", "${X}")]);
}

#[test]
fn two_dollar_signs_are_one() {
    check(&[("$$", "$"), ("$$X", "$X"), ("$$$X", "$value"), ("$$$$", "$$"), ("$${X}", "${X}")]);
}

#[test]
fn a_default_stands_for_what_is_not_set() {
    check(&[
        ("${U-d}", "d"),
        ("${U:-d}", "d"),
        ("${E-d}", ""),
        ("${E:-d}", "d"),
        ("${X-d}", "value"),
        ("${U-}", ""),
        ("${U:-a b$$c}", "a b$$c"),
        ("${U:-{{.Node.ID}}}", "{{.Node.ID}}"),
        ("${U-a:-b}", "a:-b"),
        ("${U:-a\nb}", "a\nb"),
    ]);
}

#[test]
fn operators_work_in_braces_only() {
    check(&[("$X-y", "value-y"), ("$X:-y", "value:-y"), ("$X?y", "value?y"), ("$X+y", "value+y")]);
}

#[test]
fn a_variable_that_is_not_set_is_refused() {
    check_refused("$U and ${V}", &[Trouble::Unset("U".to_owned()), Trouble::Unset("V".to_owned())]);
}

#[test]
fn a_required_variable_is_not_forgotten() {
    let required = |message: &str| Trouble::Required { name: "U".to_owned(), message: message.to_owned() };
    check_refused("${U:?say it} ${X}", &[required("say it")]);
    check_refused("${U?see docs - please}", &[required("see docs - please")]);
    check_refused("${U?a:-b}", &[required("a:-b")]);
    check(&[("${X:?m}", "value"), ("${E?m}", "")]);
    assert!(substitute("${E:?}", &variables()).is_err());
}

#[test]
fn what_begins_no_variable_is_refused_with_its_place() {
    for (text, at) in [
        ("$1", 1),
        ("ä$ ", 2),
        ("$(rm)", 1),
        ("${}", 1),
        ("${X", 1),
        ("${ X}", 1),
        ("${X.y}", 1),
        ("${X:+y}", 1),
        ("${X:}", 1),
        ("a$", 2),
        ("$X $", 4),
    ] {
        check_refused(text, &[Trouble::Invalid(at)]);
    }
}

#[test]
fn a_default_holds_no_variable() {
    check_refused("${U:-${X}}", &[Trouble::Nested("U".to_owned())]);
}

#[test]
fn casts_follow_the_path() {
    let find = |path: &str| cast_for(&path.split('/').map(str::to_owned).collect::<Vec<_>>());
    assert_eq!(find("services/a.b/deploy/replicas"), Some(Cast::Int));
    assert_eq!(find("services/a/ports/[]/target"), Some(Cast::Int));
    assert_eq!(find("services/a/tty"), Some(Cast::Bool));
    assert_eq!(find("services/a/init"), None);
    assert_eq!(find("services/a/image"), None);
    assert_eq!(Cast::Int.apply("0440"), Some(Yaml::Int(440)));
    assert_eq!(Cast::Int.apply(""), None);
    assert_eq!(Cast::Bool.apply("On"), Some(Yaml::Bool(true)));
    assert_eq!(Cast::Float.apply("0.5"), Some(Yaml::Float(0.5)));
}

proptest! {
    #[test]
    fn a_text_without_dollar_signs_stays_as_it_is(text in "[^$]*") {
        prop_assert_eq!(substitute(&text, &variables()), Ok(text));
    }

    #[test]
    fn escaped_text_comes_back(text in any::<String>()) {
        prop_assert_eq!(substitute(&text.replace('$', "$$"), &variables()), Ok(text));
    }

    #[test]
    fn no_text_makes_it_panic(text in "[$A-Z{}:?\\-a ä]{0,30}") {
        let _ = substitute(&text, &variables());
    }
}

#[test]
fn the_variables_of_a_text_are_those_that_would_be_filled_in() {
    let found = |text: &'static str| variables_in(text).collect::<Vec<_>>().join(" ");
    assert_eq!(found("$A ${B} ${C:-x$D} $$E $${F} ${G?no} $ ${} ${-H}$I"), "A B C G I");
    assert_eq!(found("nothing"), "");
}
