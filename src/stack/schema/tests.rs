//! Files against what the schema says of them.

use super::*;
use crate::stack::yaml;

fn messages(text: &str) -> Vec<String> {
    let mut findings = Findings::default();
    let root = yaml::parse(text).expect("the text should be YAML");
    let root = Cursor::new(&root, Place::of_file(0, "f"));
    if let Some((_, minor)) = version(&root, &mut findings) {
        check(&root, minor, &mut findings);
    }
    let errors = findings.conclude(()).err().unwrap_or_default();
    errors.iter().map(ToString::to_string).collect()
}

/// Checks one line of a service.
#[track_caller]
fn check_service(line: &str, expected: &[&str]) {
    let text = format!("services:\n web:\n  {line}");
    assert_eq!(messages(&text), expected.iter().map(|line| format!("f:3: services.web.{line}")).collect::<Vec<_>>());
}

#[test]
fn an_unknown_key_is_named_with_its_line() {
    check_service("imgae: x", &["imgae: unknown key `imgae`: did you mean `image`?"]);
    check_service(
        "profiles: [x]",
        &[
            "profiles: unknown key `profiles`: `docker stack deploy` does not know it, so it would have no effect: remove it",
        ],
    );
    check_service("x-mine: 1", &[]);
    check_service("deploy: {replica: 1}", &["deploy.replica: unknown key `replica`: did you mean `replicas`?"]);
}

#[test]
fn a_forbidden_key_says_what_to_use_instead() {
    check_service(
        "mem_limit: 5m",
        &["mem_limit: `mem_limit` does not exist in Swarm: use `deploy.resources.limits.memory`"],
    );
}

#[test]
fn types_are_checked() {
    check_service("user: 1000", &["user: must be a string, not a number: put it in quotes"]);
    check_service(
        "environment: {A: true}",
        &["environment.A: must be a string, number or null, not a boolean: put it in quotes"],
    );
    check_service("tty: yes", &["tty: must be true or false, not a string"]);
    check_service(
        "environment: {A: .inf}",
        &["environment.A: `.inf` and `.nan` cannot be used in a stack file: put the value in quotes"],
    );
    check_service(
        "depends_on: {db: {condition: service_healthy}}",
        &["depends_on: must be a list of strings, not a mapping"],
    );
    check_service("command: [1]", &["command.0: must be a string, not a number: put it in quotes"]);
    check_service("cap_add: [A, B, A]", &["cap_add.2: stands twice in the list: remove one"]);
    check_service("ports: [80, '80']", &[]);
    check_service("ports: [80, 80]", &["ports.1: stands twice in the list: remove one"]);
    check_service("ulimits: {nofile: {soft: 1}}", &["ulimits.nofile: `hard` is missing"]);
    check_service("volumes: [{target: /x}]", &["volumes.0: `type` is missing"]);
    check_service("stop_grace_period: 10", &["stop_grace_period: must be a duration such as `10s`, not a number"]);
}

#[test]
fn a_version_decides_which_keys_exist() {
    for known in ["3", "", "3.0", "3.13"] {
        assert_eq!(messages(&format!("version: '{known}'")), Vec::<String>::new());
    }
    for unknown in ["2.4", "4", "3.14", "3.08", "${V}"] {
        assert_eq!(
            messages(&format!("version: '{unknown}'")),
            [format!("f:1: version: `{unknown}` is not a known version of the stack file: use 3.0 to 3.13, or none")]
        );
    }
    assert_eq!(
        messages("version: 3.8"),
        ["f:1: version: the version must be a string: put it in quotes, or leave it out",]
    );
    assert_eq!(
        messages("version: '3.3'\nservices: {a: {init: true}}"),
        ["f:2: services.a.init: `init` needs version 3.7, but the file says 3.3: raise it",]
    );
    assert_eq!(messages("version: '3.3'\nx-a: 1").len(), 1);
}

#[test]
fn names_are_made_of_letters_digits_and_three_signs() {
    assert_eq!(messages("services: {'a b': {}}").len(), 1);
    assert_eq!(messages("services: {a.b_c-1: {}}").len(), 0);
    assert_eq!(messages("networks: {'a b': {}}").len(), 0);
}

#[test]
fn a_slip_of_the_finger_is_recognised() {
    for (known, found, expected) in [
        ("image", "imgae", true),
        ("image", "imag", true),
        ("image", "imagee", true),
        ("image", "omage", true),
        ("image", "images", true),
        ("image", "amige", false),
        ("user", "users", true),
        ("tty", "xyz", false),
    ] {
        assert_eq!(is_near(known, found), expected, "{known} {found}");
    }
}
