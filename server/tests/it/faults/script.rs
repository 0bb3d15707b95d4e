//! A scenario as data: what happens line by line, what the ledger must say in the end, and how the Swarm must be.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use release_manager::names::{Actor, DeploymentId, ServiceName};
use serde_json::Value;
use simulator::{Availability, Behaviour, Daemon, Fault, NodeState, Registry, SwarmTrouble, Trouble};

use super::battery::{self, trio};
use super::engine::text;
use super::life::{Hold, Moment};
use super::oracle::Oracle;
use super::rig::{Rig, Terms, name};
use super::{hand::hand, show};

/// A scenario.
pub(super) struct Scenario {
    /// What happens, a step on each line.
    pub(super) steps: &'static str,
    /// What the ledger says in the end (see [`show::record`]). Where chance on a real Engine decides, several texts with a
    /// line `or` between them: the oracle says whether what was seen is true.
    pub(super) record: &'static str,
    /// How the Swarm is in the end (see [`show::world`]): every line is the beginning of the real one.
    pub(super) world: &'static str,
    /// What differs from the usual world.
    pub(super) terms: fn(&mut Terms),
}

/// Runs a scenario on a simulated Engine and a paused clock.
pub(super) fn simulate(scenario: &Scenario) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let mut terms = Terms::default();
        (scenario.terms)(&mut terms);
        let mut rig = Rig::simulated(&terms);
        play(&mut rig, scenario).await;
    });
}

/// Plays a scenario to its end and compares.
pub(super) async fn play(rig: &mut Rig, scenario: &Scenario) {
    let mut oracle = Oracle::new(rig).await;
    let mut cast = Cast { hold: None, last_refusal: None };
    for line in lines(scenario.steps) {
        cast.step(rig, &mut oracle, line).await;
    }
    oracle.at_rest(rig).await;
    let record = show::record(rig).await;
    let expected = lines(scenario.record).collect::<Vec<_>>().join("\n");
    let fits = expected.split("\nor\n").any(|expected| expected == record.trim());
    assert!(fits, "the record is\n{record}\nand not\n{expected}");
    let world = show::world(rig).await;
    let expected: Vec<&str> = lines(scenario.world).collect();
    let fits = expected.len() == world.lines().count()
        && expected.iter().zip(world.lines()).all(|(expected, real)| real.starts_with(expected));
    assert!(fits, "the world is\n{world}\nand not\n{}", expected.join("\n"));
    rig.stop().await;
}

fn lines(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// What a scenario remembers between its steps.
struct Cast {
    hold: Option<Hold>,
    last_refusal: Option<String>,
}

impl Cast {
    async fn step(&mut self, rig: &mut Rig, oracle: &mut Oracle, line: &str) {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        let words: Vec<&str> = rest.split_whitespace().collect();
        match (verb, words.as_slice()) {
            // The source.
            ("push", _) => rig.push(rest),
            ("source", [state]) => rig.source.set_unreachable(*state == "down"),
            // The process.
            ("start", []) => rig.start().await,
            ("crash", []) => {
                self.hold = None;
                rig.crash().await;
            }
            ("stop", []) => rig.stop().await,
            ("hold", [moment, nth]) => {
                self.hold = Some(rig.holds.add(Moment::named(moment), nth.parse().unwrap()));
            }
            ("held", []) => self.held(rig).await,
            ("resume", []) => self.hold.take().expect("something is held").go.cancel(),
            ("disk", [state]) => rig.full.store(*state == "full", Ordering::Relaxed),
            ("clock", [by]) => rig.wall.shift(millis(by)),
            // Waiting.
            // In real time it is enough that something could have happened.
            ("wait", [time]) if rig.simulator.is_none() => {
                tokio::time::sleep(duration(time).min(Duration::from_secs(20))).await;
            }
            // Here it takes as long as it says.
            ("wait" | "pass", [time]) => tokio::time::sleep(duration(time)).await,
            ("begun", [id]) => rig.begun(id.parse().unwrap()).await,
            ("ended", [id]) => {
                rig.ended(id.parse().unwrap()).await;
                oracle.at_end(rig, id.parse().unwrap()).await;
            }
            ("phase", [service, phase]) => until_phase(rig, service, phase).await,
            ("problem", _) => until_problem(rig, rest).await,
            // People.
            ("promote", services) => self.promote(rig, services).await,
            ("cancel", [id]) => {
                let id = DeploymentId(id.parse().unwrap());
                self.note(rig.manager().cancel(person(), id, false).await);
            }
            ("retry", []) => self.note(rig.manager().retry(person(), &name("preprod")).await.map(|_| ())),
            ("refused", _) => {
                let said = self.last_refusal.take().unwrap_or_else(|| panic!("nothing was refused"));
                assert!(said.contains(rest), "`{said}` should contain `{rest}`");
            }
            ("hand", words) => hand(rig, words).await,
            // The Engine.
            ("kill-task", [service, _]) if rig.simulator.is_none() => {
                battery::kill_container(&rig.engine, &rig.full_name(service)).await;
            }
            // No registry has what is made for a real Engine.
            ("registry", ["offline"]) if rig.simulator.is_none() => (),
            ("daemon", ["start"]) if rig.simulator.is_none() && trio::is_of_three(rig.engine.socket()) => {
                trio::start_all(rig.engine.socket());
            }
            ("daemon", [who, what]) => trio::daemons(rig.engine.socket(), who, what).await,
            ("link", [who, state]) => trio::link(rig, who, state).await,
            ("daemon", [what]) if rig.simulator.is_none() => battery::daemon(rig.engine.socket(), what),
            _ => engine(rig, verb, &words),
        }
    }

    async fn held(&self, rig: &Rig) {
        let hold = self.hold.clone().expect("somebody is to be held");
        rig.until("the process is held", async |_: &Rig| hold.reached.is_cancelled()).await;
    }

    async fn promote(&mut self, rig: &Rig, services: &[&str]) {
        let chosen: BTreeSet<ServiceName> = services.iter().map(|service| service.parse().unwrap()).collect();
        let chosen = (!chosen.is_empty()).then_some(chosen);
        self.note(rig.manager().promote(person(), &name("prod"), chosen, None).await.map(|_| ()));
    }

    fn note(&mut self, answer: Result<(), release_manager::manager::ManagerError>) {
        self.last_refusal = answer.err().map(|error| error.to_string());
    }
}

fn person() -> Actor {
    Actor::Person("ada".to_owned())
}

/// What happens to the simulated Engine.
fn engine(rig: &Rig, verb: &str, words: &[&str]) {
    let simulator = rig.simulator();
    match (verb, words) {
        ("fault", [method, path, rest @ ..]) => simulator.inject(fault(method, path, rest)),
        ("faults", ["clear"]) => simulator.clear_faults(),
        ("daemon", ["freeze"]) => simulator.set_daemon(Daemon::Frozen),
        ("daemon", ["kill"]) => simulator.set_daemon(Daemon::Gone),
        ("daemon", ["start"]) => simulator.set_daemon(Daemon::Up),
        ("swarm", ["no-leader"]) => simulator.set_swarm_trouble(Some(SwarmTrouble::NoLeader)),
        ("swarm", ["not-a-manager"]) => simulator.set_swarm_trouble(Some(SwarmTrouble::NotAManager)),
        ("swarm", ["ok"]) => simulator.set_swarm_trouble(None),
        ("events", ["cut"]) => simulator.cut_event_streams(),
        ("registry", ["offline"]) => simulator.set_registry(Registry::Offline),
        ("behaviour", [image, what @ ..]) => simulator.set_behaviour(*image, behaviour(what)),
        ("node", [node, state]) => {
            let known = match *state {
                "down" => simulator.set_node_state(node, NodeState::Down),
                "lost" => simulator.set_node_state(node, NodeState::Lost),
                "ready" => simulator.set_node_state(node, NodeState::Ready),
                "drain" => simulator.set_node_availability(node, Availability::Drain),
                "active" => simulator.set_node_availability(node, Availability::Active),
                other => panic!("no node is {other}"),
            };
            assert!(known, "there is no node {node}");
        }
        ("kill-task", [service, code]) => {
            let running = |task: &&Value| text(task, "/Status/State") == "running";
            let tasks = simulator.tasks(&rig.full_name(service));
            let task = tasks.iter().rev().find(running).expect("a task runs");
            assert!(simulator.kill_task(text(task, "/ID"), code.parse().unwrap()));
        }
        (verb, words) => panic!("no step is `{verb} {}`", words.join(" ")),
    }
}

/// `reset`, `hang x3`, `delay 3s after=2`: what, with how much, how often, after how many others.
fn fault(method: &str, path: &str, words: &[&str]) -> Fault {
    let [what, rest @ ..] = words else { panic!("a fault is of some kind") };
    let (mut times, mut after, mut amount) = (1, 0, Duration::ZERO);
    for word in rest {
        if let Some(count) = word.strip_prefix('x') {
            times = count.parse().unwrap();
        } else if let Some(count) = word.strip_prefix("after=") {
            after = count.parse().unwrap();
        } else {
            amount = duration(word);
        }
    }
    let ms = u64::try_from(amount.as_millis()).unwrap();
    let refusal = |status, message: &str| Trouble::Refuse { status, message: message.to_owned() };
    let sequence = "rpc error: code = Unknown desc = update out of sequence";
    let trouble = match *what {
        "reset" => Trouble::Reset,
        "hang" => Trouble::Hang,
        "lose" => Trouble::LoseAnswer,
        "cut" => Trouble::CutAnswer,
        "swallow" => Trouble::Swallow,
        "garble" => Trouble::Garbled,
        "delay" => Trouble::Delay(ms),
        "late" => Trouble::Late(ms),
        "500" => refusal(500, "rpc error: code = Unknown desc = something went wrong"),
        "503" => refusal(503, ""),
        "out-of-sequence" => refusal(500, sequence),
        "no-deadline" => refusal(500, "rpc error: code = Unknown desc = context deadline exceeded"),
        "done-but-500" => Trouble::DoneButRefused { status: 500, message: "something went wrong".to_owned() },
        "done-but-no-deadline" => Trouble::DoneButRefused {
            status: 500,
            message: "rpc error: code = Unknown desc = context deadline exceeded".to_owned(),
        },
        other => panic!("no fault is called {other}"),
    };
    let method = (method != "ANY").then(|| method.to_owned());
    Fault { method, path: path.to_owned(), skip: after, times, trouble }
}

fn behaviour(words: &[&str]) -> Behaviour {
    match words {
        ["exits", after, code] => {
            Behaviour::exits(u64::try_from(duration(after).as_millis()).unwrap(), code.parse().unwrap())
        }
        ["missing"] => Behaviour::missing(),
        ["slow", time] => Behaviour::slow(u64::try_from(duration(time).as_millis()).unwrap()),
        ["unhealthy"] => Behaviour::unhealthy(),
        ["stands"] => Behaviour::default(),
        ["stops-slowly", time] => {
            Behaviour { stop_ms: u64::try_from(duration(time).as_millis()).unwrap(), ..Behaviour::default() }
        }
        other => panic!("no image does {other:?}"),
    }
}

async fn until_phase(rig: &Rig, service: &str, phase: &str) {
    let (environment, service) = service.split_once('/').unwrap_or(("preprod", service));
    let (environment, service): (_, ServiceName) = (name(environment), service.parse().unwrap());
    rig.until(&format!("{service} {phase}"), async |rig: &Rig| {
        let live = rig.manager().live().borrow().clone();
        let progress = live.environments[&environment].deployment.as_ref();
        let shown = progress.and_then(|progress| progress.services.get(&service)).map(|shown| &shown.phase);
        shown.is_some_and(|shown| serde_json::to_value(shown).unwrap()["phase"] == phase)
    })
    .await;
}

/// Waits until somebody is told.
async fn until_problem(rig: &Rig, words: &str) {
    rig.until(&format!("somebody is told `{words}`"), async |rig: &Rig| {
        let live = rig.manager().live().borrow().clone();
        let engine = live.engine_problem.iter();
        let environments = live.environments.values().filter_map(|known| known.problem.as_ref());
        let problems = engine.chain(environments).chain(live.source.problem.iter());
        problems.into_iter().any(|problem| problem.message.contains(words))
    })
    .await;
}

/// `300ms`, `20s`, `5m`, `2h`.
fn duration(text: &str) -> Duration {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..end].parse().unwrap_or_else(|_| panic!("`{text}` is no time"));
    match &text[end..] {
        "ms" => Duration::from_millis(number),
        "s" => Duration::from_secs(number),
        "m" => Duration::from_secs(number * 60),
        "h" => Duration::from_secs(number * 3600),
        unit => panic!("`{unit}` is no unit of time"),
    }
}

/// `+1h`, `-10m`.
fn millis(text: &str) -> i64 {
    let (sign, text) = text.split_at(1);
    let time = i64::try_from(duration(text).as_millis()).unwrap();
    if sign == "-" { -time } else { time }
}
