//! Whole stacks: every file of the corpus against its snapshot, mistakes against their messages, and the real thing.

use serde_json::json;

use super::*;

mod hostile;
mod mounts;

/// Renders files with variables, both written as `name=content`.
fn try_render(
    files: &[(&str, &str)],
    variables: &str,
    at_hand: &Files,
) -> Result<(Stack, Vec<Warning>), Vec<StackError>> {
    let files: Vec<StackFile> =
        files.iter().map(|(path, text)| StackFile { path: path.parse().unwrap(), text: (*text).to_owned() }).collect();
    let variables: Variables = variables
        .split_whitespace()
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let stack: StackName = "shop".parse().unwrap();
    let input = Input {
        stack: &stack,
        files: &files,
        variables: &variables,
        bind_base: Some("/srv/shop"),
        reach: Reach::Repository,
    };
    render(input, at_hand)
}

#[track_caller]
fn check_refused(text: &str, variables: &str, expected: &[&str]) {
    let errors = try_render(&[("s.yml", text)], variables, &Files::new()).expect_err("the stack should be refused");
    assert_eq!(errors.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
}

#[test]
fn a_small_stack_becomes_what_the_engine_is_asked_for() {
    let text = "services: {web: {image: 'nginx:${TAG}', ports: ['8080:80'], environment: {B: 2, A: x}}}";
    let (stack, warnings) = try_render(&[("s.yml", text)], "TAG=1.27", &Files::new()).unwrap();
    assert_eq!(warnings, []);
    let namespace = json!({"com.docker.stack.namespace": "shop"});
    assert_eq!(
        stack.services[&"web".parse().unwrap()].spec,
        json!({
            "Name": "shop_web",
            "Labels": {"com.docker.stack.namespace": "shop", "com.docker.stack.image": "nginx:1.27"},
            "TaskTemplate": {
                "ContainerSpec": {
                    "Image": "nginx:1.27", "Labels": namespace, "Env": ["A=x", "B=2"], "Privileges": {},
                },
                "Resources": {},
                "Placement": {},
                "Networks": [{"Target": "shop_default", "Aliases": ["web"]}],
            },
            "Mode": {"Replicated": {}},
            "EndpointSpec": {
                "Ports": [{"Protocol": "tcp", "TargetPort": 80, "PublishedPort": 8080, "PublishMode": "ingress"}],
            },
        })
    );
    let network = json!({"Name": "shop_default", "Driver": "overlay", "Labels": namespace});
    assert_eq!(stack.networks["shop_default"], Object::Ours { spec: network });
}

#[test]
fn every_mistake_is_reported_in_the_order_of_the_file() {
    check_refused(
        "services:\n  web:\n    image: nginx:${TAG}\n    prots: []\n    networks: [nope]\n  db:\n    image: Postgres\n",
        "",
        &[
            "s.yml:3: services.web.image: the variable `TAG` is not set: set it in the env file, or give it a default \
             with `${TAG:-…}`",
            "s.yml:4: services.web.prots: unknown key `prots`: did you mean `ports`?",
            "s.yml:5: services.web.networks.0: there is no network `nope`: add it to `networks` at the top level",
            "s.yml:7: services.db.image: `Postgres` must be lower case in its repository",
        ],
    );
}

/// A file of the corpus.
macro_rules! corpus_file {
    ($path:literal) => {
        ($path, include_str!(concat!("testdata/", $path)))
    };
}

/// The files that stacks of the corpus refer to.
fn at_hand() -> Files {
    let content = [
        ("files/bytes", &include_bytes!("testdata/files/bytes")[..]),
        ("files/empty", include_bytes!("testdata/files/empty")),
        ("files/example.conf", include_bytes!("testdata/files/example.conf")),
        ("files/one.env", include_bytes!("testdata/files/one.env")),
        ("files/template.conf", include_bytes!("testdata/files/template.conf")),
        ("files/token", include_bytes!("testdata/files/token")),
        ("files/two.env", include_bytes!("testdata/files/two.env")),
    ];
    content.into_iter().map(|(path, content)| (path.parse().unwrap(), content.to_vec())).collect()
}

/// Renders stack files of the corpus and compares the whole with its snapshot.
#[track_caller]
fn check_snapshot(name: &str, files: &[(&str, &str)], variables: &str) {
    let files: Vec<StackFile> =
        files.iter().map(|(path, text)| StackFile { path: path.parse().unwrap(), text: (*text).to_owned() }).collect();
    let variables =
        if variables.is_empty() { Variables::new() } else { crate::env_file::parse(variables.as_bytes()).unwrap() };
    let stack: StackName = "shop".parse().unwrap();
    let input = Input {
        stack: &stack,
        files: &files,
        variables: &variables,
        bind_base: Some("/srv/shop"),
        reach: Reach::Repository,
    };
    let wanted = referenced_files(input).unwrap_or_else(|errors| panic!("{name}: {errors:#?}"));
    let at_hand = at_hand().into_iter().filter(|(path, _)| wanted.contains(path)).collect();
    let (stack, warnings) = render(input, &at_hand).unwrap_or_else(|errors| panic!("{name}: {errors:#?}"));
    insta::assert_json_snapshot!(name, json!({"stack": stack, "warnings": warnings}));
}

macro_rules! corpus {
    ($($test:ident: $name:literal [$($file:literal),+] $($variables:literal)?;)+) => {$(
        #[test]
        fn $test() {
            check_snapshot($name, &[$(corpus_file!($file)),+], concat!($(include_str!(concat!("testdata/", $variables)))?));
        }
    )+};
}

corpus! {
    plain_words_reach_containers_as_yaml_reads_them: "scalars" ["scalars.yml"];
    anchors_and_merge_keys_are_resolved: "anchors" ["anchors.yml"];
    variables_are_filled_in: "variables" ["variables.yml"] "variables.env";
    variables_become_numbers_and_booleans: "casts" ["casts.yml"] "casts.env";
    environments_come_from_files_entries_and_the_caller: "environment" ["environment.yml"] "environment.env";
    commands_are_split_into_words: "commands" ["commands.yml"];
    ports_are_published: "ports" ["ports.yml"];
    volumes_are_mounted: "mounts" ["mounts.yml"];
    networks_are_made_and_attached: "networks" ["networks.yml"];
    secrets_and_configs_are_referred_to: "files" ["files.yml"];
    health_checks_are_told_from_none: "healthchecks" ["healthchecks.yml"];
    resources_are_limited_and_reserved: "resources" ["resources.yml"];
    modes_updates_and_restarts_are_set: "policies" ["policies.yml"];
    containers_are_told_everything_else: "container" ["container.yml"];
    ignored_keys_are_warned_of: "ignored" ["ignored.yml"];
    several_files_are_merged: "merged" ["merged.yml", "merged.over.yml"];
    a_homelab_is_rendered: "homelab" ["homelab.yml"] "homelab.env";
    a_shop_is_rendered: "shop" ["shop.yml"] "shop.env";
    a_name_is_used_as_it_is: "names" ["names.yml"];
    labels_of_services_and_containers_are_two_things: "labels" ["labels.yml"];
    templates_of_the_engine_pass_through: "templates" ["templates.yml"];
    an_environment_has_two_forms: "environment_forms" ["environment_forms.yml"];
    the_caller_fills_in_what_is_empty: "environment_caller" ["environment_caller.yml"] "environment_caller.env";
    later_env_files_win: "env_files" ["env_files.yml"];
    containers_are_stopped_as_they_ask: "stopping" ["stopping.yml"];
    switches_are_sent_when_they_are_on: "terminal" ["terminal.yml"];
    an_init_has_three_states: "init" ["init.yml"];
    isolation_is_passed_on: "isolation" ["isolation.yml"];
    hosts_are_added_in_order: "extra_hosts" ["extra_hosts.yml"];
    names_are_asked_for_where_the_file_says: "dns" ["dns.yml"];
    capabilities_get_the_names_of_the_engine: "capabilities" ["capabilities.yml"];
    kernel_parameters_have_two_forms: "sysctls" ["sysctls.yml"];
    limits_of_processes_are_sorted: "ulimits" ["ulimits.yml"];
    an_empty_logging_is_not_none: "logging" ["logging.yml"];
    restart_works_where_there_is_no_policy: "restart_words" ["restart_words.yml"];
    a_restart_policy_says_what_it_was_given: "restart_policy" ["restart_policy.yml"];
    tasks_are_placed: "placement" ["placement.yml"];
    updates_go_as_configured: "update_config" ["update_config.yml"];
    the_engine_goes_back_as_configured: "rollback_config" ["rollback_config.yml"];
    credentials_may_have_a_name_of_their_own: "credential_names" ["credential_names.yml"];
    variables_are_read_with_care: "variables_differently" ["variables_differently.yml"] "variables_differently.env";
    what_only_newer_engines_know_is_sent: "newer" ["newer.yml"];
    endpoints_have_two_modes: "endpoint_mode" ["endpoint_mode.yml"];
    ports_have_a_short_form: "ports_short" ["ports_short.yml"];
    ports_come_in_ranges: "ports_ranges" ["ports_ranges.yml"];
    a_port_may_have_two_protocols: "ports_protocols" ["ports_protocols.yml"];
    ports_have_a_long_form: "ports_long" ["ports_long.yml"];
    jobs_run_to_their_end: "jobs" ["jobs.yml"];
    services_are_replicated_or_global: "modes" ["modes.yml"];
    resources_may_be_only_counted: "generic_resources" ["generic_resources.yml"];
    units_are_read: "units" ["units.yml"];
    volumes_have_a_short_form: "volumes_short" ["volumes_short.yml"];
    volumes_have_a_long_form: "volumes_long" ["volumes_long.yml"];
    volumes_have_drivers: "volume_drivers" ["volume_drivers.yml"];
    bind_mounts_count_from_the_first_file: "binds" ["binds.yml"] "binds.env";
    mounts_may_be_in_memory: "tmpfs" ["tmpfs.yml"];
    all_secrets_are_made: "secrets" ["secrets.yml"];
    a_secret_may_come_from_a_plugin: "secret_drivers" ["secret_drivers.yml"];
    configs_are_made_byte_by_byte: "configs" ["configs.yml"];
    configs_may_be_templates: "config_templates" ["config_templates.yml"];
    names_may_hold_variables: "config_names" ["config_names.yml"] "config_names.env";
    what_is_external_is_only_named: "external" ["external.yml"];
    the_default_network_can_be_described: "networks_default" ["networks_default.yml"];
    networks_have_options: "networks_options" ["networks_options.yml"];
    networks_have_addresses: "networks_ipam" ["networks_ipam.yml"];
    services_have_aliases: "networks_aliases" ["networks_aliases.yml"];
    the_network_of_the_host_is_there_already: "network_host" ["network_host.yml"];
    images_are_sent_in_short: "images" ["images.yml"];
    without_a_version_everything_is_known: "version_none" ["version_none.yml"];
    the_oldest_version_is_read: "version_oldest" ["version_oldest.yml"];
    three_is_the_newest_of_the_threes: "version_three" ["version_three.yml"];
    extensions_say_nothing: "extensions" ["extensions.yml"];
    anchors_may_be_lists_and_chains: "anchors_lists" ["anchors_lists.yml"];
    yaml_has_many_forms: "yaml_forms" ["yaml_forms.yml"];
    yaml_is_laid_out_as_people_like: "yaml_layout" ["yaml_layout.yml"];
    what_is_empty_is_not_sent: "empty_values" ["empty_values.yml"];
    containers_run_as_the_user_asked_for: "user" ["user.yml"];
    services_depend_on_each_other: "depends_on" ["depends_on.yml"];
    credentials_come_from_three_places: "credential_specs" ["credential_specs.yml"];
    variables_stand_everywhere: "interpolated_everywhere" ["interpolated_everywhere.yml"] "interpolated_everywhere.env";
    a_later_text_wins_if_it_says_something: "merged_scalars" ["merged_scalars.yml", "merged_scalars.over.yml"];
    later_lists_are_appended: "merged_lists" ["merged_lists.yml", "merged_lists.over.yml"];
    ports_meet_by_published_number: "merged_ports" ["merged_ports.yml", "merged_ports.over.yml"];
    mounts_meet_by_target: "merged_mounts" ["merged_mounts.yml", "merged_mounts.over.yml"];
    mappings_meet_key_by_key: "merged_maps" ["merged_maps.yml", "merged_maps.over.yml"];
    sections_of_deploy_meet_member_by_member: "merged_deploy" ["merged_deploy.yml", "merged_deploy.over.yml"];
    networks_of_a_service_meet_by_name: "merged_networks" ["merged_networks.yml", "merged_networks.over.yml"];
    log_options_meet_for_one_driver: "merged_logging" ["merged_logging.yml", "merged_logging.over.yml"];
    a_later_object_replaces_an_earlier_one: "merged_objects" ["merged_objects.yml", "merged_objects.over.yml"];
    a_proxy_is_rendered: "stacks-traefik" ["stacks/traefik.yml"] "stacks/traefik.env";
    monitoring_is_rendered: "stacks-monitoring" ["stacks/monitoring.yml"] "stacks/monitoring.env";
    logging_is_rendered: "stacks-logs" ["stacks/logs.yml"];
    media_are_rendered: "stacks-media" ["stacks/media.yml"] "stacks/media.env";
    databases_are_rendered: "stacks-databases" ["stacks/databases.yml"];
    name_resolution_is_rendered: "stacks-dns" ["stacks/dns.yml"] "stacks/dns.env";
    home_automation_is_rendered: "stacks-home-automation" ["stacks/home-automation.yml"];
    git_is_rendered: "stacks-git-and-ci" ["stacks/git-and-ci.yml"];
    a_cloud_is_rendered: "stacks-files-and-photos" ["stacks/files-and-photos.yml"] "stacks/files-and-photos.env";
    backups_are_rendered: "stacks-vpn-and-backup" ["stacks/vpn-and-backup.yml"] "stacks/vpn-and-backup.env";
    a_blog_is_rendered: "stacks-blog" ["stacks/blog.yml"];
    a_queue_is_rendered: "stacks-queue" ["stacks/queue.yml"] "stacks/queue.env";
    management_is_rendered: "stacks-management" ["stacks/management.yml"];
}

/// Every file of a collection is refused at its place and for its reason.
#[track_caller]
fn check_all_refused(collection: &str) {
    let mut count = 0;
    for block in collection.split("\n=== ").skip(1) {
        let (expected, text) = block.split_once('\n').unwrap_or((block, ""));
        let (place, reason) = expected.split_once(": ").or_else(|| expected.split_once(':')).unwrap();
        let (set, text): (Vec<&str>, Vec<&str>) = text.lines().partition(|line| line.starts_with("#! "));
        let variables: Vec<&str> = set.iter().map(|line| &line[3..]).collect();
        let text = text.join("\n");
        let found = try_render(&[("s.yml", &text)], &variables.join(" "), &at_hand());
        let errors = found.err().unwrap_or_else(|| panic!("taken instead of refused for `{expected}`:\n{text}"));
        let fits = |error: &StackError| {
            let at = error.place.split_once(": ").map_or("", |(_, path)| path);
            at == place && error.message.contains(reason)
        };
        assert!(errors.iter().any(fits), "not refused for `{expected}`:\n{text}\n{errors:#?}");
        count += 1;
    }
    assert!(count > 10, "{count} files");
}

#[test]
fn what_the_docker_command_refuses_is_refused_with_its_key() {
    check_all_refused(include_str!("testdata/refused.txt"));
}

#[test]
fn what_would_fail_later_is_refused_at_once() {
    check_all_refused(include_str!("testdata/stricter.txt"));
}

#[test]
fn services_that_wait_for_each_other_are_refused() {
    check_refused(
        "services:\n  a: {image: x, depends_on: [b]}\n  b: {image: x, depends_on: [c]}\n  c: {image: x, depends_on: [b, d]}\n  \
         d: {image: x, depends_on: [d]}\n",
        "",
        &[
            "s.yml:4: services.c.depends_on.0: services wait for each other in a circle, so none could start: `b` -> `c` -> `b`",
            "s.yml:5: services.d.depends_on.0: services wait for each other in a circle, so none could start: `d` -> `d`",
        ],
    );
}

#[test]
fn every_variable_that_is_not_set_is_listed_with_its_place() {
    check_refused(
        "services:\n  a:\n    image: x:$A\n    command: [\"${B}\", \"${C:?the port}\"]\n    ports: ['$P:80']\n",
        "",
        &[
            "s.yml:3: services.a.image: the variable `A` is not set: set it in the env file, or give it a default with `${A:-…}`",
            "s.yml:4: services.a.command.0: the variable `B` is not set: set it in the env file, or give it a default with `${B:-…}`",
            "s.yml:4: services.a.command.1: the variable `C` is required: the port",
            "s.yml:5: services.a.ports.0: the variable `P` is not set: set it in the env file, or give it a default with `${P:-…}`",
        ],
    );
}

#[test]
fn what_is_not_declared_is_refused() {
    check_refused(
        "services:\n  a:\n    image: x\n    volumes: [nope:/x]\n    secrets: [nope]\n    configs: [nope]\n    networks: [nope]\n",
        "",
        &[
            "s.yml:4: services.a.volumes.0: there is no volume `nope`: add it to `volumes` at the top level, or write a path \
             that begins with `/`",
            "s.yml:5: services.a.secrets.0: there is no secret `nope`: add it to `secrets` at the top level",
            "s.yml:6: services.a.configs.0: there is no config `nope`: add it to `configs` at the top level",
            "s.yml:7: services.a.networks.0: there is no network `nope`: add it to `networks` at the top level",
        ],
    );
}

#[test]
fn files_stay_in_the_repository_and_must_be_there() {
    check_refused(
        "services: {a: {image: x, env_file: [../up.env, gone.env]}}\nsecrets:\n  s: {file: /etc/shadow}\n  t: {file: gone}\n  u: {}\n",
        "",
        &[
            "s.yml:1: services.a.env_file: `../up.env` leads out of the repository",
            "s.yml:1: services.a.env_file: the env file `gone.env` is not in the repository at this revision",
            "s.yml:3: secrets.s.file: `/etc/shadow` lies outside the repository: use a path relative to the directory of the \
             first stack file",
            "s.yml:4: secrets.t.file: the file `gone` is not in the repository at this revision",
            "s.yml:5: secrets.u: `file` is missing: name the file with the content, or write `external: true`",
        ],
    );
}

#[test]
fn a_relative_bind_mount_needs_a_directory_on_the_nodes() {
    let stack: StackName = "shop".parse().unwrap();
    let text = "services: {a: {image: x, volumes: ['./conf:/conf']}}".to_owned();
    let files = [StackFile { path: "s.yml".parse().unwrap(), text }];
    let input =
        Input { stack: &stack, files: &files, variables: &Variables::new(), bind_base: None, reach: Reach::Repository };
    let errors = render(input, &Files::new()).unwrap_err();
    assert!(errors[0].to_string().contains("`./conf` is relative"), "{errors:?}");
}

#[test]
fn a_stack_without_services_is_refused() {
    for text in ["services: {}", "version: '3.8'"] {
        check_refused(text, "", &["s.yml: there are no services: add them under `services`"]);
    }
    check_refused("", "", &["s.yml: the file is empty"]);
}

#[test]
fn all_files_need_the_same_version() {
    let service = "services: {a: {image: x}}";
    let first = format!("version: '3.8'\n{service}");
    let errors = try_render(&[("a.yml", &first), ("b.yml", service)], "", &Files::new()).unwrap_err();
    assert_eq!(errors[0].to_string(), "b.yml: the version 3.13 differs from 3.8 in a.yml: all files need the same");
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    const CORPUS: &[&str] = &[
        include_str!("testdata/homelab.yml"),
        include_str!("testdata/mounts.yml"),
        include_str!("testdata/networks.yml"),
        include_str!("testdata/files.yml"),
        include_str!("testdata/policies.yml"),
        include_str!("testdata/container.yml"),
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// A few slips of the finger in a real file.
        #[test]
        fn no_mutated_file_makes_it_panic(
            which in 0..CORPUS.len(),
            slips in proptest::collection::vec((any::<prop::sample::Index>(), "[ -~\n]{0,3}"), 1..6),
        ) {
            let mut text: Vec<char> = CORPUS[which].chars().collect();
            for (at, replacement) in slips {
                let at = at.index(text.len());
                text.splice(at..=at, replacement.chars());
                text.push('\n');
            }
            let text: String = text.into_iter().collect();
            if let Err(errors) = try_render(&[("s.yml", &text), ("t.yml", &text)], "ENV_NAME=example", &at_hand()) {
                prop_assert!(!errors.is_empty());
            }
        }

        #[test]
        fn the_same_file_gives_the_same_bytes(which in 0..CORPUS.len()) {
            let render = || try_render(&[("s.yml", CORPUS[which])], "", &at_hand()).map(|(stack, _)| serde_json::to_string(&stack));
            prop_assert_eq!(format!("{:?}", render()), format!("{:?}", render()));
        }
    }
}
