//! What holds of every plan.

use proptest::prelude::*;

use super::*;

/// What a service of the property tests may have.
const FEATURES: usize = 8;

fn build(services: &[(u8, u8, Vec<bool>)], data: u8) -> Stack {
    let names = ["a", "b", "c", "d"];
    let used: Vec<&str> = services.iter().map(|(index, ..)| names[usize::from(*index) % 4]).collect();
    let images: Vec<String> =
        used.iter().zip(services).map(|(name, (_, version, _))| format!("{name}=app:{version}")).collect();
    let mut stack = stack(&images.join(" "))
        .network("home_default")
        .secret("home_key", &secret(data))
        .config("home_conf", &format!("config {data}"));
    for (position, (name, (_, version, features))) in used.iter().zip(services).enumerate() {
        stack = feature(stack, name, *version, features);
        if features[0] && position > 0 {
            stack = stack.after(name, used[position - 1]);
        }
    }
    stack
}

fn feature(mut stack: Stack, name: &str, version: u8, features: &[bool]) -> Stack {
    if features[1] {
        stack = stack.on(name, "home_default");
    }
    if features[2] {
        stack = stack.reads_secret(name, "home_key");
    }
    if features[3] {
        stack = stack.reads_config(name, "home_conf");
    }
    if features[4] {
        stack = stack.with(
            name,
            &["TaskTemplate", "ContainerSpec", "Env"],
            json!(["Z=1", format!("A={}", secret(version))]),
        );
    }
    if features[5] {
        stack = stack.with(name, &["UpdateConfig"], json!({"Parallelism": 0, "MaxFailureRatio": 0.3}));
    }
    if features[6] {
        stack = stack.with(name, &["Mode"], json!({"Replicated": {"Replicas": version % 3}}));
    }
    if features[7] {
        let check = json!({"Test": ["CMD", "x"], "StartInterval": 5_000_000_000_u64});
        stack = stack.with(name, &["TaskTemplate", "ContainerSpec", "Healthcheck"], check);
    }
    stack
}

fn secret(number: u8) -> String {
    format!("top-secret-{number}")
}

prop_compose! {
    fn any_stack()(
        services in prop::collection::vec((0..4_u8, 0..4_u8, prop::collection::vec(any::<bool>(), FEATURES)), 0..5),
        data in 0..3_u8,
    ) -> Stack {
        build(&services, data)
    }
}

proptest! {
    #[test]
    fn a_plan_that_was_carried_out_leaves_nothing_to_do(first in any_stack(), second in any_stack(), old in any::<bool>()) {
        let live = applied(&swarm(), &plan(&first, &swarm(), None), old);
        let todo = plan(&second, &live, None);
        prop_assert_eq!(&todo.blockers, &[]);
        let live = applied(&live, &todo, old);
        let rest = plan(&second, &live, None);
        prop_assert!(!rest.has_writes(), "{:?}", lines(&rest));
        let names: BTreeSet<ServiceName> = adopt(&live, &second.name).into_keys().collect();
        prop_assert_eq!(names, second.services.keys().cloned().collect::<BTreeSet<_>>());
    }

    #[test]
    fn the_same_input_gives_the_same_bytes(first in any_stack(), second in any_stack()) {
        let live = deployed(&first);
        let (one, other) = (plan(&second, &live, None), plan(&second.clone(), &live.clone(), None));
        prop_assert_eq!(serde_json::to_string(&one).unwrap(), serde_json::to_string(&other).unwrap());
        prop_assert_eq!(one.hash(), other.hash());
    }

    #[test]
    fn no_plan_shows_what_is_secret(first in any_stack(), second in any_stack()) {
        let mut plan = plan(&second, &deployed(&first), None);
        for action in &mut plan.actions {
            action.write = None;
            if let ActionKind::UpdateService { prior, .. } = &mut action.kind {
                *prior = Value::Null;
            }
        }
        let shown = serde_json::to_string(&plan).unwrap();
        prop_assert!(!shown.contains("top-secret"), "{}", shown);
        prop_assert!(!shown.contains(&base64("top-secret")[..14]), "{}", shown);
    }

    #[test]
    fn only_what_is_in_scope_is_in_a_plan(first in any_stack(), second in any_stack(), scope in prop::collection::btree_set(0..4_usize, 0..4)) {
        let scope: BTreeSet<ServiceName> = scope.into_iter().map(|index| name(["a", "b", "c", "d"][index])).collect();
        let plan = plan(&second, &deployed(&first), Some(&scope));
        prop_assert!(plan.actions.iter().filter_map(|action| action.kind.service()).all(|service| scope.contains(service)));
    }
}
