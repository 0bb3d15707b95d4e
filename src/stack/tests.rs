//! Whole stacks: every file of the corpus against its snapshot, mistakes against their messages, and the real thing.

use serde_json::json;

use super::*;

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
    let input = Input { stack: &stack, files: &files, variables: &variables, bind_base: Some("/srv/shop") };
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
