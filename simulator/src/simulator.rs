//! The simulator as its users see it: start it, serve it, look into it, steer it.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use serde_json::Value;
use tokio::{
    io::DuplexStream,
    sync::{Notify, watch},
};
use tokio_util::sync::CancellationToken;

use crate::{
    behaviour::{Behaviour, ImageRule},
    clock::Clock,
    faults::{Fault, Faults},
    options::{Options, Registry},
    persist::Keeper,
    server,
    state::{
        World,
        node::{Availability, NodeState},
        service::Service,
        task::State,
    },
};

/// A Docker Engine that pretends. Clones are handles to the same one.
#[derive(Debug, Clone)]
pub struct Simulator {
    pub(crate) shared: Arc<Shared>,
}

/// What the API, the driver and the handles share.
#[derive(Debug)]
pub(crate) struct Shared {
    world: Mutex<World>,
    clock: Clock,
    /// Wakes the driver: something may now be due earlier.
    moved: Notify,
    pub(crate) faults: Faults,
    writes: Mutex<Vec<AcceptedWrite>>,
    pub(crate) keeper: Keeper,
    /// Whether the daemon answers.
    pub(crate) daemon: watch::Sender<Daemon>,
}

/// How the daemon is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Daemon {
    /// It works.
    Up,
    /// It is stopped in the middle, as by SIGSTOP: connections come about, and nothing is answered or done.
    Frozen,
    /// It is gone, as by SIGKILL: nobody can connect, and the containers of its node are dead when it comes back.
    Gone,
}

/// A write that the Engine accepted.
#[derive(Debug, Clone, PartialEq)]
pub struct AcceptedWrite {
    /// `POST` or `DELETE`.
    pub method: String,
    /// The path without its version prefix, with the query.
    pub path: String,
    /// The body, or null.
    pub body: Value,
}

/// Trouble of the whole swarm, as seen from the answering node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SwarmTrouble {
    /// It is not a manager.
    NotAManager,
    /// The managers have no leader.
    NoLeader,
}

impl Simulator {
    /// A swarm as the options say. Nothing happens before it is served.
    pub fn new(options: Options) -> Self {
        let clock = Clock::start();
        let keeper = Keeper::new(options.state_file.clone());
        let world = World::new(options, clock.epoch());
        Self {
            shared: Arc::new(Shared {
                world: Mutex::new(world),
                clock,
                moved: Notify::new(),
                faults: Faults::default(),
                writes: Mutex::default(),
                keeper,
                daemon: watch::Sender::new(Daemon::Up),
            }),
        }
    }

    /// Answers on a unix socket until `shutdown`, then removes the socket. A file that is in the way is removed first.
    pub async fn serve(&self, socket: impl AsRef<Path>, shutdown: CancellationToken) -> std::io::Result<()> {
        self.listen(socket).await?.run(shutdown).await
    }

    /// Loads what was kept and opens the socket; clients can connect from here on. Answers need `run`.
    pub async fn listen(&self, socket: impl AsRef<Path>) -> std::io::Result<server::Listening> {
        if let Some(kept) = self.shared.keeper.load().await? {
            self.shared.with(|world| world.restore(kept));
        }
        server::Listening::open(Arc::clone(&self.shared), socket.as_ref()).await
    }

    /// Lets things happen until `shutdown`, without a socket: for clients that [`Simulator::connect`] in this process.
    pub async fn run(&self, shutdown: CancellationToken) {
        self.shared.drive(shutdown).await;
    }

    /// A connection within this process; refused while the daemon is gone. No operating system has a hand in it, so that
    /// a paused clock moves only when nobody has anything left to do.
    pub fn connect(&self) -> std::io::Result<DuplexStream> {
        server::connect(&self.shared)
    }

    /// Freezes the daemon, kills it, or lets it work again.
    pub fn set_daemon(&self, daemon: Daemon) {
        let before = self.shared.daemon.send_replace(daemon);
        self.shared.with(|world| {
            world.halted = daemon != Daemon::Up;
            match (before, daemon) {
                (_, Daemon::Gone) => world.events.cut(),
                (Daemon::Gone, Daemon::Up) => world.wake_after_death(),
                _ => {}
            }
        });
    }

    /// How the daemon is.
    pub fn daemon(&self) -> Daemon {
        *self.shared.daemon.borrow()
    }

    /// Whether the whole swarm is in trouble.
    pub fn swarm_trouble(&self) -> bool {
        self.shared.with(|world| world.trouble.is_some())
    }

    /// How many calls have gone wrong by a [`Fault`], now and from now on.
    pub fn faults_met(&self) -> watch::Receiver<u64> {
        self.shared.faults.met()
    }

    /// Makes calls go wrong.
    pub fn inject(&self, fault: Fault) {
        self.shared.faults.add(fault);
    }

    /// Drops all faults that wait for a call.
    pub fn clear_faults(&self) {
        self.shared.faults.clear();
    }

    /// Sets what containers of an image do from now on (see [`ImageRule::image`]).
    pub fn set_behaviour(&self, image: impl Into<String>, behaviour: Behaviour) {
        let rule = ImageRule { image: image.into(), behaviour };
        self.shared.with(|world| world.options.images.push(rule));
    }

    /// Sets whether a registry can be reached.
    pub fn set_registry(&self, registry: Registry) {
        self.shared.with(|world| world.options.registry = registry);
    }

    /// Sets whether a node answers; `false` if there is no node of that host name or id.
    pub fn set_node_state(&self, node: &str, state: NodeState) -> bool {
        self.shared.with(|world| world.set_node(node, |node| node.state = state))
    }

    /// Sets what a node may be used for; `false` if there is no node of that host name or id.
    pub fn set_node_availability(&self, node: &str, availability: Availability) -> bool {
        self.shared.with(|world| world.set_node(node, |node| node.availability = availability))
    }

    /// Puts the whole swarm into trouble, or out of it.
    pub fn set_swarm_trouble(&self, trouble: Option<SwarmTrouble>) {
        self.shared.with(|world| world.trouble = trouble);
    }

    /// Ends the container of a task with an exit code; `false` if it does not run.
    pub fn kill_task(&self, id: &str, exit_code: i64) -> bool {
        self.shared.with(|world| {
            let runs =
                world.task(id).is_some_and(|task| (State::Starting..=State::Running).contains(&task.status.state));
            if runs {
                world.end(id, exit_code, None);
            }
            runs
        })
    }

    /// Ends every open event stream.
    pub fn cut_event_streams(&self) {
        self.shared.with(|world| world.events.cut());
    }

    /// All services, as the API shows them.
    pub fn services(&self) -> Vec<Value> {
        self.shared.with(|world| world.services.values().map(Service::json).collect())
    }

    /// One service by name, as the API shows it.
    pub fn service(&self, name: &str) -> Option<Value> {
        self.shared.with(|world| world.services.values().find(|service| service.name() == name).map(Service::json))
    }

    /// The tasks of a service by name, oldest first, as the API shows them.
    pub fn tasks(&self, service: &str) -> Vec<Value> {
        self.shared.with(|world| {
            let id = world.services.values().find(|found| found.name() == service).map(|found| found.id.clone());
            id.map(|id| world.tasks_of(&id).iter().map(|task| task.json()).collect()).unwrap_or_default()
        })
    }

    /// Every write that was accepted, in order.
    pub fn accepted_writes(&self) -> Vec<AcceptedWrite> {
        self.shared.writes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Shared {
    /// Looks at the store, or changes it, as it is now: what is due is done before, what follows is done after.
    pub(crate) fn with<T>(&self, look: impl FnOnce(&mut World) -> T) -> T {
        let result = {
            let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
            world.now = self.clock.now();
            world.settle_unless_halted();
            let result = look(&mut world);
            world.settle_unless_halted();
            result
        };
        self.moved.notify_one();
        result
    }

    /// Keeps an accepted write in mind.
    pub(crate) fn record(&self, write: AcceptedWrite) {
        self.writes.lock().unwrap_or_else(PoisonError::into_inner).push(write);
    }

    /// Does what is due when it is due, and sleeps in between.
    pub(crate) async fn drive(&self, shutdown: CancellationToken) {
        loop {
            let due = {
                let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
                world.now = self.clock.now();
                world.settle_unless_halted();
                if world.halted { None } else { world.next_due() }
            };
            self.save().await;
            let wake = async {
                match due.and_then(|due| self.clock.instant(due)) {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = self.moved.notified() => {}
                () = wake => {}
            }
        }
    }

    /// Writes down what is kept between runs, if it changed.
    pub(crate) async fn save(&self) {
        if self.keeper.is_off() {
            return;
        }
        let take = || {
            let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut world.unsaved).then(|| world.keep())
        };
        self.keeper.save(take).await;
    }
}
