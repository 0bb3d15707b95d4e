//! Every scenario by name: what happens, what the ledger must say of it, and how the Swarm must be in the end. After each
//! the oracle has its say too.

mod answers;
mod crashes;
mod daemons;
mod outcomes;
mod requests;

/// Makes a test of each scenario.
macro_rules! scenarios {
    ($($name:ident { steps: $steps:literal, record: $record:literal, world: $world:literal
        $(, terms: $terms:expr)? $(,)? })*) => {
        $(
            #[test]
            fn $name() {
                #[allow(unused_mut, unused_assignments, reason = "most worlds are the usual one")]
                let mut terms: fn(&mut crate::faults::rig::Terms) = |_| ();
                $(terms = $terms;)?
                crate::faults::script::simulate(&crate::faults::script::Scenario {
                    steps: $steps,
                    record: $record,
                    world: $world,
                    terms,
                });
            }
        )*
    };
}
use scenarios;

/// The same, and each on a real Engine too.
macro_rules! scenarios_everywhere {
    ($($name:ident { steps: $steps:literal, record: $record:literal, world: $world:literal $(,)? })*) => {
        scenarios! { $($name { steps: $steps, record: $record, world: $world })* }

        mod docker {
            $(
                #[tokio::test(flavor = "multi_thread")]
                #[ignore = "takes minutes: make battery"]
                async fn $name() {
                    crate::faults::battery::on_docker(stringify!($name), &crate::faults::script::Scenario {
                        steps: $steps,
                        record: $record,
                        world: $world,
                        terms: |_| (),
                    })
                    .await;
                }
            )*
        }
    };
}
use scenarios_everywhere;
