//! Kill at every step in turn: at the first, the second … write and line of the journal, before and after, until none is
//! left. Each time the next process on the same database and Swarm must bring the deployment to the end that it would
//! have had, close it once, and send each write once. SIGTERM at every step must come to the same, and a cancel must leave
//! nothing half told.

use release_manager::names::{Actor, DeploymentId};

use super::life::{Hold, Moment};
use super::oracle::Oracle;
use super::rig::{Rig, Terms};
use super::show;

/// A deployment to be killed in.
struct Story {
    first: &'static str,
    second: &'static str,
    record: &'static str,
    world: &'static str,
}

/// What happens to the process at the moment.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Blow {
    /// `kill -9`.
    Kill,
    /// What Swarm sends to a container that is to end.
    Terminate,
    /// A person wants the deployment stopped.
    Cancel,
}

/// Strikes at every moment of a kind; says how many there were.
fn sweep(story: &Story, moment: Moment, blow: Blow) -> u32 {
    let mut nth = 1;
    while strike_at(story, moment, nth, blow) {
        nth += 1;
    }
    nth - 1
}

/// Strikes at the n-th moment, and lets the deployment come to its end. `false` where there is no such moment.
fn strike_at(story: &Story, moment: Moment, nth: u32, blow: Blow) -> bool {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let mut rig = Rig::simulated(&Terms::default());
        let mut oracle = Oracle::new(&rig).await;
        rig.push(story.first);
        rig.start().await;
        rig.ended(1).await;
        let hold = rig.holds.add(moment, nth);
        rig.push(story.second);
        let was_reached = tokio::select! {
            () = hold.reached.cancelled() => true,
            () = rig.ended(2) => false,
        };
        if was_reached {
            // Death comes at any time after.
            tokio::time::sleep(std::time::Duration::from_millis(u64::from(nth) * 700)).await;
            strike(&mut rig, &hold, blow).await;
            rig.ended(2).await;
        } else {
            rig.holds.clear();
        }
        oracle.at_end(&rig, 2).await;
        // Nothing is added later, by this process or another.
        tokio::time::sleep(std::time::Duration::from_mins(1)).await;
        oracle.at_rest(&rig).await;
        // What a cancel leaves depends on the moment: the oracle says whether it is told as it is.
        if blow != Blow::Cancel || !was_reached {
            let record = show::record(&rig).await;
            let last = record.lines().last().unwrap_or_default();
            assert_eq!(last, story.record, "{blow:?} {moment:?} {nth}: all is\n{record}");
            let world = show::world(&rig).await;
            assert_eq!(world, story.world, "{blow:?} {moment:?} {nth}");
        }
        rig.stop().await;
        was_reached
    })
}

async fn strike(rig: &mut Rig, hold: &Hold, blow: Blow) {
    match blow {
        Blow::Kill => {
            rig.crash().await;
            rig.start().await;
        }
        Blow::Terminate => {
            // What is under way may be ended.
            hold.go.cancel();
            rig.stop().await;
            rig.start().await;
        }
        Blow::Cancel => {
            let person = Actor::Person("ada".to_owned());
            let answer = rig.manager().cancel(person, DeploymentId(2), false).await;
            let before = rig.simulator().accepted_writes().len();
            hold.go.cancel();
            rig.ended(2).await;
            let after = rig.simulator().accepted_writes().len() - before;
            // The one that was about to be sent may be.
            assert!(answer.is_err() || after <= 1, "{after} writes were sent after the cancel");
        }
    }
}

/// Sweeps a story: a test for each kind of moment, with how many of them there are at least.
macro_rules! killed_at_every_step {
    ($($name:ident: $story:expr, [$before_write:literal, $after_write:literal, $before_entry:literal, $after_entry:literal];)*) => {
        $(mod $name {
            use super::{Blow, Moment, Story, check, sweep};

            const STORY: Story = $story;

            #[test]
            fn before_each_write() {
                check(&STORY, Moment::BeforeWrite, $before_write);
            }

            #[test]
            #[ignore = "takes minutes: make faults"]
            fn terminated_and_cancelled_at_every_step() {
                for blow in [Blow::Terminate, Blow::Cancel] {
                    for moment in Moment::ALL {
                        assert!(sweep(&STORY, moment, blow) > 0, "there is nothing to be held at");
                    }
                }
            }

            #[test]
            fn after_each_write() {
                check(&STORY, Moment::AfterWrite, $after_write);
            }

            #[test]
            fn before_each_line_of_the_journal() {
                check(&STORY, Moment::BeforeEntry, $before_entry);
            }

            #[test]
            fn after_each_line_of_the_journal() {
                check(&STORY, Moment::AfterEntry, $after_entry);
            }
        })*
    };
}

fn check(story: &Story, moment: Moment, least: u32) {
    let met = sweep(story, moment, Blow::Kill);
    assert!(met >= least, "only {met} of at least {least} moments were there to be killed at");
}

killed_at_every_step! {
    // A config and four services; each announced, done, and each service judged; begun and finished. A new service, an
    // update, a removal, two levels.
    of_a_deployment_that_succeeds: Story {
        first: "db app:1; web app:1 after=db config=motd:one; old app:1",
        second: "db app:2; web app:2 after=db config=motd:two; new app:1",
        record: "2 preprod sync success: db 1>2 succeeded, new >1 succeeded, old 1> pruned, web 1>2 succeeded",
        world: "preprod/db app:2 1/1 completed #2\npreprod/new app:1 1/1 - #2\npreprod/web app:2 1/1 completed #2",
    }, [5, 5, 16, 16];
    of_a_deployment_that_swarm_rolls_back: Story {
        first: "web app:1 x2",
        second: "web app:2 x2 run='exit 3' fail=rollback",
        record: "2 preprod sync rolled_back: web 1>2 rolled_back",
        world: "preprod/web app:1 2/2 rollback_completed #1",
    }, [1, 1, 5, 5];
    of_a_deployment_that_fails: Story {
        first: "db app:1 x2; web app:1 after=db",
        second: "db app:2 x2 run='exit 3' fail=pause rest=1m; web app:2 after=db",
        record: "2 preprod sync failed: db 1>2 failed/paused, web 1>2 cancelled",
        world: "preprod/db app:2 0/2 paused #2\npreprod/web app:1 1/1 - #1",
    }, [1, 1, 6, 6];
    of_a_job: Story {
        first: "migrate app:1 job run='exit 0'; web app:1",
        second: "migrate app:2 job run='exit 0'; web app:1",
        record: "2 preprod sync success: migrate 1>2 completed",
        world: "preprod/migrate app:2 0/1 - #2\npreprod/web app:1 1/1 - #1",
    }, [1, 1, 5, 5];
}
