//! The store: everything that the Engine would keep in its raft log, and the clock that it is judged by.

pub(crate) mod datum;
pub(crate) mod events;
pub(crate) mod network;
pub(crate) mod node;
pub(crate) mod service;
pub(crate) mod task;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde_json::{Map, Value};
use time::OffsetDateTime;

use crate::{
    clock::{Moment, NEVER, stamp},
    ids::Ids,
    options::Options,
    simulator::SwarmTrouble,
    state::{
        datum::Datum,
        events::{Event, Events},
        network::Network,
        node::{Node, NodeState},
        service::Service,
        task::{State, Task},
    },
};

/// How long the managers wait for a word of a node before they take it for down.
const NOTICE: Duration = Duration::from_secs(15);

/// The whole state of a simulated swarm. Everything that changes it does so at `now`.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) options: Options,
    pub(crate) now: Moment,
    epoch: OffsetDateTime,
    pub(crate) started: String,
    pub(crate) ids: Ids,
    /// The version of the last write.
    pub(crate) index: u64,
    serial: u64,
    pub(crate) cluster: String,
    pub(crate) services: BTreeMap<String, Service>,
    tasks: BTreeMap<String, Task>,
    by_service: BTreeMap<String, BTreeSet<String>>,
    /// In the order of their making: the first one answers.
    pub(crate) nodes: Vec<Node>,
    pub(crate) networks: BTreeMap<String, Network>,
    pub(crate) data: BTreeMap<String, Datum>,
    pub(crate) events: Events,
    /// The services that have to be looked at again.
    pub(crate) dirty: BTreeSet<String>,
    /// Whether a task may now find a node.
    pub(crate) schedule: bool,
    /// Whether something changed that is kept between runs.
    pub(crate) unsaved: bool,
    /// Trouble of the whole swarm.
    pub(crate) trouble: Option<SwarmTrouble>,
    /// Whether the daemon does nothing: it is frozen or gone.
    pub(crate) halted: bool,
}

impl World {
    /// A swarm with its nodes and the Engine's own networks.
    pub(crate) fn new(options: Options, epoch: OffsetDateTime) -> Self {
        let mut ids = Ids::new(options.seed);
        let at = stamp(epoch);
        let nodes: Vec<Node> = options
            .nodes
            .iter()
            .enumerate()
            .map(|(position, node)| Node::new(ids.object(), position, node, &at))
            .collect();
        let cluster = ids.object();
        let mut world = Self {
            options,
            now: Duration::ZERO,
            epoch,
            started: at,
            ids,
            index: 10,
            serial: 0,
            cluster,
            services: BTreeMap::new(),
            tasks: BTreeMap::new(),
            by_service: BTreeMap::new(),
            nodes,
            networks: BTreeMap::new(),
            data: BTreeMap::new(),
            events: Events::new(),
            dirty: BTreeSet::new(),
            schedule: false,
            unsaved: false,
            trouble: None,
            halted: false,
        };
        world.create_predefined_networks();
        world
    }

    /// The wall clock.
    pub(crate) fn wall(&self) -> OffsetDateTime {
        self.epoch + self.now
    }

    /// The wall clock, as the Engine writes it.
    pub(crate) fn stamp(&self) -> String {
        stamp(self.wall())
    }

    /// A span of time at the simulator's speed.
    pub(crate) fn scaled(&self, span: Duration) -> Duration {
        let speed = if self.options.speed > 0.0 { self.options.speed } else { 1.0 };
        Duration::try_from_secs_f64(span.as_secs_f64() / speed).unwrap_or(Duration::MAX)
    }

    /// The moment that lies a span ahead, at the simulator's speed.
    pub(crate) fn ahead(&self, span: Duration) -> Moment {
        self.now.saturating_add(self.scaled(span))
    }

    /// The version of the next write.
    pub(crate) fn bump(&mut self) -> u64 {
        self.index += 1;
        self.index
    }

    /// The number of the next task.
    pub(crate) fn next_serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    /// A node by id.
    pub(crate) fn node(&self, id: &str) -> Option<&Node> {
        self.nodes.iter().find(|node| node.id == id)
    }

    /// Changes a node by id or host name; its tasks, and those that wait, are looked at again.
    pub(crate) fn set_node(&mut self, name: &str, change: impl FnOnce(&mut Node)) -> bool {
        let (version, at) = (self.index + 1, self.stamp());
        let noticed_at = Some(self.ahead(NOTICE));
        let Some(node) = self.nodes.iter_mut().find(|node| node.id == name || node.hostname == name) else {
            return false;
        };
        let was_away = node.state != NodeState::Ready;
        change(node);
        node.noticed_at = noticed_at.filter(|_| node.state == NodeState::Lost);
        (node.version, node.updated) = (version, at);
        let (id, hostname, is_back) =
            (node.id.clone(), node.hostname.clone(), was_away && node.state == NodeState::Ready);
        self.index = version;
        self.schedule = true;
        self.dirty.extend(self.services.keys().cloned());
        if is_back {
            self.resume_tasks_on(&id);
        }
        self.tell("node", "update", &id, &[("name", &hostname)]);
        true
    }

    /// Takes for down what has been lost for long enough.
    pub(crate) fn notice_lost_nodes(&mut self) {
        let now = self.now;
        let is_late = |node: &&Node| node.noticed_at.is_some_and(|at| at <= now);
        let late: Vec<String> = self.nodes.iter().filter(is_late).map(|node| node.id.clone()).collect();
        for id in late {
            self.set_node(&id, |node| node.state = NodeState::Down);
        }
    }

    /// Lets the steps happen that waited for the node.
    fn resume_tasks_on(&mut self, node: &str) {
        let soon = self.ahead(Duration::from_millis(50));
        for task in self.tasks.values_mut().filter(|task| task.node.as_deref() == Some(node)) {
            if let Some((at, _)) = task.next.as_mut().filter(|(at, _)| *at == NEVER) {
                *at = soon;
            }
        }
    }

    /// What a daemon finds when it starts after it was killed: its containers have died with it, and its updaters know
    /// nothing of what they had begun.
    pub(crate) fn wake_after_death(&mut self) {
        let Some(node) = self.nodes.first().map(|node| node.id.clone()) else { return };
        let ran = |task: &&Task| {
            task.node.as_ref() == Some(&node) && (State::Starting..=State::Running).contains(&task.status.state)
        };
        let died: Vec<String> = self.tasks.values().filter(ran).map(|task| task.id.clone()).collect();
        for service in self.services.values_mut() {
            service.updater = None;
        }
        for task in died {
            self.end(&task, 143, None);
        }
        self.schedule = true;
        self.dirty.extend(self.services.keys().cloned());
    }

    /// Whether the node is gone or does not answer.
    pub(crate) fn is_down(&self, id: Option<&str>) -> bool {
        id.is_some_and(|id| self.node(id).is_none_or(|node| node.state == NodeState::Down))
    }

    /// Whether nothing happens on the node any more, noticed or not.
    pub(crate) fn is_away(&self, id: Option<&str>) -> bool {
        id.is_some_and(|id| self.node(id).is_none_or(|node| node.state != NodeState::Ready))
    }

    /// All tasks, by id.
    pub(crate) fn tasks(&self) -> impl Iterator<Item = &Task> {
        self.tasks.values()
    }

    /// A task by id.
    pub(crate) fn task(&self, id: &str) -> Option<&Task> {
        self.tasks.get(id)
    }

    /// The tasks of a service, oldest first.
    pub(crate) fn tasks_of(&self, service: &str) -> Vec<&Task> {
        let ids = self.by_service.get(service);
        let mut tasks: Vec<&Task> = ids.into_iter().flatten().filter_map(|id| self.tasks.get(id)).collect();
        tasks.sort_by_key(|task| task.serial);
        tasks
    }

    /// Adds a task.
    pub(crate) fn insert_task(&mut self, task: Task) {
        self.by_service.entry(task.service.clone()).or_default().insert(task.id.clone());
        self.tasks.insert(task.id.clone(), task);
    }

    /// Forgets a task.
    pub(crate) fn remove_task(&mut self, id: &str) {
        let Some(task) = self.tasks.remove(id) else { return };
        if let Some(ids) = self.by_service.get_mut(&task.service) {
            ids.remove(id);
            if ids.is_empty() {
                self.by_service.remove(&task.service);
            }
        }
    }

    /// Changes a task as one write: its version and time of update move.
    pub(crate) fn change_task(&mut self, id: &str, change: impl FnOnce(&mut Task, &str)) {
        let (version, at) = (self.index + 1, self.stamp());
        let Some(task) = self.tasks.get_mut(id) else { return };
        self.index = version;
        task.version = version;
        at.clone_into(&mut task.updated);
        change(task, &at);
        self.dirty.insert(task.service.clone());
    }

    /// Changes what a task does next, which no client can see.
    pub(crate) fn plan_task(&mut self, id: &str, plan: impl FnOnce(&mut Task)) {
        if let Some(task) = self.tasks.get_mut(id) {
            plan(task);
        }
    }

    /// Tells an event.
    pub(crate) fn tell(&mut self, kind: &'static str, action: &'static str, id: &str, attributes: &[(&str, &str)]) {
        let attributes: Map<String, Value> =
            attributes.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect();
        let scope = if kind == "container" { "local" } else { "swarm" };
        let event = Event { kind, action, id: id.to_owned(), attributes, scope, at: self.wall() };
        self.events.tell(event);
    }
}
