//! Files that somebody wrote to do harm: each ends in a clear error or a small stack, soon, on a thread with a small
//! stack.

use std::time::{Duration, Instant};

use super::*;

/// Far beyond what is needed on a busy machine, and far below what such a file would take if it were followed.
const LIMIT: Duration = Duration::from_mins(1);

/// Renders one file within the time; the first error, or what came of it.
#[track_caller]
fn bounded(text: &str, variables: &Variables, at_hand: &Files) -> Result<Stack, Vec<StackError>> {
    let files = [StackFile { path: "s.yml".parse().unwrap(), text: text.to_owned() }];
    let stack: StackName = "shop".parse().unwrap();
    let input = Input { stack: &stack, files: &files, variables, bind_base: Some("/srv"), reach: Reach::Repository };
    let began = Instant::now();
    let wanted = referenced_files(input);
    let result = render(input, at_hand).map(|(stack, _)| stack);
    let took = began.elapsed();
    assert!(took < LIMIT, "{took:?} for a file of {} bytes", text.len());
    if let (Err(errors), Ok(_)) | (_, Err(errors)) = (&result, &wanted) {
        assert!(!errors.is_empty() && errors.len() <= 201, "{} errors", errors.len());
        let longest = errors.iter().map(|error| error.message.len()).max();
        assert!(longest.is_some_and(|longest| longest <= 2100), "{longest:?} bytes in one message");
    }
    result
}

#[track_caller]
fn check(text: &str, expected: &str) {
    check_with(text, &Variables::new(), &Files::new(), expected);
}

#[track_caller]
fn check_with(text: &str, variables: &Variables, at_hand: &Files, expected: &str) {
    let errors = bounded(text, variables, at_hand).map(|_| ()).expect_err("the file should be refused");
    let fits = errors.iter().any(|error| error.to_string().contains(expected));
    assert!(fits, "`{expected}` is not in {:?}", errors.first());
}

/// `count` lines made of their numbers.
fn lines(count: usize, line: impl Fn(usize) -> String) -> String {
    (0..count).map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_large_file_is_not_read() {
    check(&"services: {}\n".repeat(800_000), "larger than 1 MiB");
}

#[test]
fn aliases_do_not_explode() {
    let lists = (1..12).fold("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned(), |text, level| {
        let below = format!("*a{}", level - 1);
        format!("{text}a{level}: &a{level} [{}]\n", [below.as_str(); 10].join(", "))
    });
    check(&lists, "too large");
    let maps = (1..30).fold("x-a0: &a0 {x: x, y: y}\n".to_owned(), |text, level| {
        let below = level - 1;
        format!("{text}x-a{level}: &a{level} {{a: *a{below}, b: *a{below}}}\n")
    });
    check(&maps, "too large");
    let merged = (1..30).fold("x-a0: &a0 {k: v}\n".to_owned(), |text, level| {
        let below = level - 1;
        format!("{text}x-a{level}: &a{level} {{<<: [*a{below}, *a{below}, *a{below}], k{level}: v}}\n")
    });
    check(&merged, "too large");
}

#[test]
fn nesting_is_bounded() {
    for (open, close) in [("[", "]"), ("{a: ", "}"), ("- ", ""), ("? ", "")] {
        let text = format!("x: {}1{}", open.repeat(10_000), close.repeat(10_000));
        assert!(bounded(&text, &Variables::new(), &Files::new()).is_err(), "{open}");
    }
    let stairs = lines(1_000, |level| format!("{}a:", " ".repeat(level)));
    check(&stairs, "nested too deeply");
}

#[test]
fn long_lists_are_compared_quickly() {
    let ports = lines(30_000, |number| format!("{}", 1_000_000 + number)).replace('\n', ",");
    check(&format!("services: {{web: {{image: app, ports: [{ports}]}}}}"), "is not a port");
    let numbers = lines(60_000, |number| format!("{}", number % 50_000)).replace('\n', ",");
    check(&format!("services: {{web: {{image: app, expose: [{numbers}]}}}}"), "stands twice");
}

#[test]
fn ranges_of_ports_do_not_fill_the_memory() {
    let ports = lines(30_000, |number| format!("\"1-{}\"", 65_535 - number)).replace('\n', ",");
    check(&format!("services: {{web: {{image: app, ports: [{ports}]}}}}"), "more than 65536 ports");
    let services = lines(5_000, |number| format!(" a{number}: {{image: app, ports: *p}}"));
    check(&format!("x-p: &p ['1-65535']\nservices:\n{services}"), "more than 65536 ports");
}

#[test]
fn long_chains_of_services_need_no_deep_stack() {
    let services = lines(9_999, |number| format!(" a{number}: {{image: app, depends_on: [a{}]}}", number + 1));
    let stack = bounded(&format!("services:\n{services}\n a9999: {{image: app}}"), &Variables::new(), &Files::new());
    let stack = stack.unwrap();
    let before = stack.services.iter().map(|(name, service)| (name.clone(), service.depends_on.clone())).collect();
    let began = Instant::now();
    let levels = crate::plan::order(&before);
    assert!(began.elapsed() < LIMIT);
    assert_eq!(levels[&"a0".parse().unwrap()], 10_000);
    check(&format!("services:\n{services}\n a9999: {{image: app, depends_on: [a0]}}"), "in a circle");
}

#[test]
fn the_number_of_services_is_bounded() {
    let services = lines(40_000, |number| format!(" a{number}: {{image: app}}"));
    check(&format!("services:\n{services}"), "s.yml:10002: services.a10000: the file has more than 10000 services");
}

#[test]
fn long_keys_are_not_repeated_for_each_of_their_children() {
    let key = "k".repeat(500_000);
    let items = "x,".repeat(40_000);
    check(&format!("? {key}\n: [{items}]\n? services\n: {{a: {{image: app}}}}"), "unknown key");
    let members = lines(30_000, |number| format!("k{number}: $")).replace('\n', ", ");
    check(&format!("services: {{a: {{image: app, labels: {{{members}}}}}}}"), "begins no variable");
}

#[test]
fn a_flood_of_mistakes_is_cut_off() {
    let unknown = lines(10_000, |number| format!(" s{number}: {{imgae: x}}"));
    check(&format!("services:\n{unknown}"), "mistakes more");
    let unset = lines(20_000, |number| format!("$V{number}")).replace('\n', " ");
    check(&format!("services: {{a: {{image: app, command: \"{unset}\"}}}}"), "is not set");
}

#[test]
fn variables_do_not_explode() {
    let variables = Variables::from([("V".to_owned(), "v".repeat(64 * 1024))]);
    let once = "$V".repeat(400_000);
    check_with(
        &format!("services: {{a: {{image: app, hostname: {once}}}}}"),
        &variables,
        &Files::new(),
        "longer than 1 MiB",
    );
    let often = vec!["$V"; 50_000].join(",");
    check_with(
        &format!("services: {{a: {{image: app, command: [{often}]}}}}"),
        &variables,
        &Files::new(),
        "larger than 64 MiB",
    );
    let named = lines(30_000, |_| "  - V".to_owned());
    let _ = bounded(
        &format!("x-e: &e\n{named}\nservices: {{a: {{image: app, environment: *e}}}}"),
        &variables,
        &Files::new(),
    );
    let services = lines(3_000, |number| format!(" a{number}: {{image: app, environment: {{V: }}}}"));
    check_with(&format!("services:\n{services}"), &variables, &Files::new(), "larger than 64 MiB");
}

#[test]
fn files_do_not_explode() {
    let large = Files::from([
        ("e.env".parse().unwrap(), format!("A={}", "x".repeat(900_000)).into_bytes()),
        ("c".parse().unwrap(), vec![b'x'; 900_000]),
    ]);
    let services = lines(5_000, |number| format!(" a{number}: {{image: app, env_file: e.env}}"));
    check_with(&format!("services:\n{services}"), &Variables::new(), &large, "larger than 64 MiB");
    let configs = lines(5_000, |number| format!(" c{number}: {{file: c}}"));
    check_with(
        &format!("services: {{a: {{image: app}}}}\nconfigs:\n{configs}"),
        &Variables::new(),
        &large,
        "larger than 64 MiB",
    );
}

#[test]
fn what_a_volume_says_is_not_repeated_without_end() {
    let label = "x".repeat(400_000);
    let mounts = lines(20_000, |number| format!("\"vol:/{number}\"")).replace('\n', ",");
    let text = format!(
        "services: {{a: {{image: app, volumes: [{mounts}]}}}}\nvolumes: {{vol: {{labels: {{a: \"{label}\"}}}}}}"
    );
    check(&text, "larger than 64 MiB");
}

#[test]
fn nul_and_other_control_characters_are_refused() {
    check("services: {a: {image: \"app\0\"}}", "control character U+0000");
    check("services: {a: {image: app, hostname: \"a\\0b\"}}", "NUL");
    check("services: {a: {image: app, labels: {\"a\\x00\": b}}}", "NUL");
    check("services: {a: {image: app, hostname: \"\u{1b}[2J\"}}", "control character U+001B");
    let files = Files::from([("e.env".parse().unwrap(), b"A=\0".to_vec())]);
    check_with("services: {a: {image: app, env_file: e.env}}", &Variables::new(), &files, "is not `NAME=value`");
}

#[test]
fn no_path_leads_out_of_the_repository() {
    for path in ["../x", "/etc/shadow", "a/../../x", "~/x", "C:/x", "..", "a/./../../x", "", "."] {
        for text in [
            format!("services: {{a: {{image: app, env_file: '{path}'}}}}"),
            format!("services: {{a: {{image: app}}}}\nsecrets: {{s: {{file: '{path}'}}}}"),
            format!("services: {{a: {{image: app}}}}\nconfigs: {{s: {{file: '{path}'}}}}"),
        ] {
            let taken_for_none = path.is_empty() && text.contains("env_file");
            let refused = bounded(&text, &Variables::new(), &Files::new()).is_err();
            assert!(refused || taken_for_none, "{text}");
        }
    }
    let variables = Variables::from([("P".to_owned(), "../../etc/passwd".to_owned())]);
    let text = "services: {a: {image: app}}\nconfigs: {s: {file: \"${P}\"}}";
    check_with(text, &variables, &Files::new(), "leads out of the repository");
}

#[test]
fn names_are_bounded() {
    let long = "n".repeat(100_000);
    for text in [
        format!("services: {{{long}: {{image: app}}}}"),
        format!("services: {{a: {{image: {long}}}}}"),
        format!("services: {{a: {{image: \"app:{long}\"}}}}"),
    ] {
        assert!(bounded(&text, &Variables::new(), &Files::new()).is_err(), "{}…", &text[..40]);
    }
}

#[test]
fn numbers_out_of_range_are_refused() {
    let service = |line: &str| format!("services: {{a: {{image: app, {line}}}}}");
    for line in [
        "ports: [{target: 65536}]",
        "ports: [{target: -1}]",
        "ports: ['99999999999999999999:80']",
        "deploy: {replicas: -1}",
        "deploy: {replicas: 1e400}",
        "deploy: {update_config: {parallelism: -1}}",
        "deploy: {resources: {limits: {memory: 99999999999999p}}}",
        "deploy: {resources: {limits: {cpus: '1e999999999'}}}",
        "stop_grace_period: 9999999999h",
        "ulimits: {nofile: 99999999999999999999}",
        "configs: [{source: x, mode: 99999999999}]",
        "volumes: [{type: tmpfs, target: /x, tmpfs: {size: 99999999999999999999}}]",
    ] {
        assert!(bounded(&service(line), &Variables::new(), &Files::new()).is_err(), "{line}");
    }
}

mod trees {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;
    use crate::plan::testkit::{applied, swarm};

    /// Words that mean something somewhere.
    fn word() -> impl Strategy<Value = String> {
        let known = [
            "services",
            "networks",
            "volumes",
            "secrets",
            "configs",
            "deploy",
            "image",
            "ports",
            "environment",
            "labels",
            "command",
            "healthcheck",
            "test",
            "disable",
            "external",
            "name",
            "file",
            "driver",
            "driver_opts",
            "ipam",
            "config",
            "subnet",
            "type",
            "source",
            "target",
            "bind",
            "tmpfs",
            "volume",
            "size",
            "mode",
            "replicas",
            "resources",
            "limits",
            "cpus",
            "memory",
            "placement",
            "constraints",
            "update_config",
            "order",
            "x-a",
            "web",
            "depends_on",
            "logging",
            "options",
            "ulimits",
            "nofile",
            "credential_spec",
            "version",
            "env_file",
            "<<",
        ];
        select(known.to_vec()).prop_map(str::to_owned)
    }

    fn scalar() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            (0..70_000_i64).prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            word().prop_map(Value::from),
            "[ -~]{0,12}".prop_map(Value::from),
            select(vec![
                "app:1",
                "web",
                "8080:80",
                "1-3:4-6",
                "data:/data",
                "/a:/b:ro",
                "10s",
                "64m",
                "0.5",
                "${A}",
                "${B:-x}",
                "a=b"
            ])
            .prop_map(Value::from),
        ]
    }

    fn tree() -> impl Strategy<Value = Value> {
        scalar().prop_recursive(5, 60, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map(word(), inner, 0..6).prop_map(Value::from_iter),
            ]
        })
    }

    /// A service that is often taken.
    fn service() -> impl Strategy<Value = Value> {
        (prop::collection::btree_map(word(), tree(), 0..3)).prop_map(|more| {
            let mut service = json!({"image": "app:1"});
            for (key, value) in more {
                service[key] = value;
            }
            service
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn any_tree_ends_in_a_stack_or_an_error(tree in tree()) {
            let text = serde_json::to_string(&tree).unwrap();
            if let Err(errors) = try_render(&[("s.yml", &text)], "A=1", &at_hand()) {
                prop_assert!(!errors.is_empty());
            }
        }

        /// What was rendered can be planned, and once that is done nothing is left to do.
        #[test]
        fn any_stack_that_is_taken_can_be_planned(service in service(), other in service(), volumes in tree()) {
            let text = json!({"services": {"web": service, "db": other}, "volumes": {"data": volumes}}).to_string();
            if let Ok((stack, _)) = try_render(&[("s.yml", &text)], "A=1", &at_hand()) {
                let todo = crate::plan::plan(&stack, &swarm(), None);
                let again = crate::plan::plan(&stack, &applied(&swarm(), &todo, false), None);
                prop_assert!(!again.has_writes(), "{:?}", again.actions);
            }
        }
    }
}
