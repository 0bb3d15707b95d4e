//! A Swarm small enough to read: it remembers specs, and every service is up at once, unless its image is said to crash.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use serde_json::Value;
use tokio::sync::watch;

use crate::engine::{
    LiveObject, LiveService, LiveStack, NAMESPACE_LABEL, Node, Observation, Pinned, Platform, Task, UpdateStatus, Write,
};
use crate::lease::{Lease, SeenLease};
use crate::logs::LogLine;
use crate::names::StackName;
use crate::plan;
use crate::ports::{Identity, ImagePresence, Pin, Swarm, SwarmError};

/// A Swarm with one node.
#[derive(Debug)]
pub struct FakeSwarm {
    world: Mutex<World>,
    beats: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct World {
    services: BTreeMap<String, LiveService>,
    tasks: BTreeMap<String, Vec<Task>>,
    objects: BTreeMap<(&'static str, String), LiveObject>,
    crashing: BTreeSet<String>,
    last_words: Option<String>,
    missing: BTreeSet<String>,
    slow: BTreeSet<String>,
    /// The services whose tasks take their time to stop, and the tasks that removed ones have left.
    lingering: BTreeSet<String>,
    left: BTreeMap<String, (LiveService, Vec<Task>)>,
    writes: Vec<Write>,
    unreachable: bool,
    hidden: bool,
    lose_answers: u32,
    collapse: Collapse,
    /// A network that is listed although it is gone, for so many more refusals.
    fading: Option<(String, u32)>,
    /// Whether the next name that is taken is followed by a look that fails, and whether that look comes now.
    stumbles: (bool, bool),
    digests: BTreeMap<String, String>,
    lost: BTreeSet<String>,
    /// Why no registry answers.
    silent: Option<String>,
    asked: Vec<String>,
    counter: u64,
    leases: BTreeMap<StackName, SeenLease>,
    lease_writes: u64,
    own_service: Option<String>,
    processes: u64,
    log_reads: usize,
}

/// Whether the code that asks breaks.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Collapse {
    #[default]
    Never,
    /// Once, when it has written.
    AfterWrite,
    /// Each time it asks how things are.
    Always,
}

impl Default for FakeSwarm {
    fn default() -> Self {
        Self { world: Mutex::default(), beats: watch::Sender::new(0) }
    }
}

impl FakeSwarm {
    /// Tasks of this image end at once with exit code 3.
    pub fn crash(&self, image: &str) {
        self.world().crashing.insert(image.to_owned());
    }

    /// What tasks that crash from now on leave as their error and in their log.
    pub fn last_words(&self, words: &str) {
        self.world().last_words = Some(words.to_owned());
    }

    /// Tasks of this image are prepared until [`FakeSwarm::recover`].
    pub fn slow_down(&self, image: &str) {
        self.world().slow.insert(image.to_owned());
    }

    /// The tasks of this service run on after it has been removed, until [`FakeSwarm::leave`].
    pub fn linger(&self, full_name: &str) {
        self.world().lingering.insert(full_name.to_owned());
    }

    /// The tasks of a service that was removed have stopped.
    pub fn leave(&self, full_name: &str) {
        self.world().left.remove(full_name);
        self.beats.send_modify(|beats| *beats += 1);
    }

    /// No registry has this image any more.
    pub fn lose_image(&self, image: &str) {
        self.world().missing.insert(image.to_owned());
    }

    /// The tasks of a service that crashed or were slow come up after all, and those of its image that start later.
    pub fn recover(&self, full_name: &str) {
        let mut world = self.world();
        let Some(service) = world.services.get(full_name).cloned() else { return };
        if let Some(image) = plan::image_of(&service.spec) {
            world.crashing.remove(image);
            world.slow.remove(image);
        }
        for task in world.tasks.entry(service.id.clone()).or_default() {
            if task.state == "preparing" {
                "running".clone_into(&mut task.state);
            }
        }
        for slot in 1..=service.desired_tasks {
            let runs = |task: &Task| task.slot == Some(slot) && task.state == "running";
            if !world.tasks[&service.id].iter().any(runs) {
                let number = world.next();
                let task = task(&service.id, slot, number, "running");
                world.tasks.entry(service.id.clone()).or_default().push(task);
            }
        }
        drop(world);
        self.beats.send_modify(|beats| *beats += 1);
    }

    /// The live spec of a service.
    pub fn spec(&self, full_name: &str) -> Option<Value> {
        self.world().services.get(full_name).map(|service| service.spec.clone())
    }

    /// From now on nobody answers, or somebody does again.
    pub fn set_unreachable(&self, unreachable: bool) {
        self.world().unreachable = unreachable;
        self.beats.send_modify(|beats| *beats += 1);
    }

    /// From now on stacks cannot be read as a whole, or can again; what is watched is seen all the same.
    pub fn hide_stacks(&self, hidden: bool) {
        self.world().hidden = hidden;
    }

    /// Swarm pauses the update of a service.
    pub fn pause(&self, full_name: &str) {
        if let Some(service) = self.world().services.get_mut(full_name) {
            let message = "update paused due to failure or early termination of task t1".to_owned();
            service.update = Some(UpdateStatus { state: "paused".to_owned(), started_at: None, message });
        }
    }

    /// The next writes are done, but their answers never arrive.
    pub fn lose_answers(&self, count: u32) {
        self.world().lose_answers = count;
    }

    /// The next write is done, and the code that asked for it breaks.
    pub fn collapse(&self) {
        self.world().collapse = Collapse::AfterWrite;
    }

    /// The code that asks how things are breaks from now on.
    pub fn collapse_always(&self) {
        self.world().collapse = Collapse::Always;
    }

    /// A network is gone, and is listed all the same until services were refused so often for that.
    pub fn fade(&self, network: &str, refusals: u32) {
        self.world().fading = Some((network.to_owned(), refusals));
    }

    /// The next answer that a name is taken is followed by one look at the stack that fails.
    pub fn stumble(&self) {
        self.world().stumbles.0 = true;
    }

    /// A registry knows this image by this digest from now on.
    pub fn publish(&self, image: &str, digest: &str) {
        self.world().digests.insert(image.to_owned(), digest.to_owned());
    }

    /// Registries say from now on that there is no such image.
    pub fn lose(&self, image: &str) {
        self.world().lost.insert(image.to_owned());
    }

    /// No registry answers from now on, for this reason.
    pub fn silence_registries(&self, why: &str) {
        self.world().silent = Some(why.to_owned());
    }

    /// Somebody pushes an image that was lost.
    pub fn find(&self, image: &str) {
        self.world().lost.remove(image);
    }

    /// The images that a registry was asked for, in order.
    pub fn asked(&self) -> Vec<String> {
        self.world().asked.clone()
    }

    /// Everything that was written, in order.
    pub fn writes(&self) -> Vec<Write> {
        self.world().writes.clone()
    }

    /// How often the last lines of a task were asked for.
    pub fn log_reads(&self) -> usize {
        self.world().log_reads
    }

    /// The image in a service's live spec.
    pub fn image(&self, full_name: &str) -> Option<String> {
        let world = self.world();
        plan::image_of(&world.services.get(full_name)?.spec).map(str::to_owned)
    }

    /// Lets the first running task of a service end with exit code 3. As Swarm does, another one is started in its place.
    pub fn end_task(&self, full_name: &str) {
        let mut world = self.world();
        let Some(id) = world.services.get(full_name).map(|service| service.id.clone()) else { return };
        let number = world.next();
        let tasks = world.tasks.entry(id.clone()).or_default();
        let Some(ending) = tasks.iter_mut().find(|task| task.state == "running") else { return };
        let slot = ending.slot.unwrap_or(1);
        let ended = Task { id: ending.id.clone(), ..self::task(&id, slot, number, "failed") };
        *ending = ended;
        tasks.push(self::task(&id, slot, number, "running"));
        drop(world);
        self.beats.send_modify(|beats| *beats += 1);
    }

    /// The service that processes are a task of, by its full name.
    pub fn run_in(&self, service: &str) {
        self.world().own_service = Some(service.to_owned());
    }

    /// Gives the lease over a stack to somebody else.
    pub fn give_lease(&self, stack: &StackName, lease: Lease) {
        let mut world = self.world();
        let version = world.next();
        world.leases.insert(stack.clone(), SeenLease { id: format!("lease-{stack}"), version, lease });
    }

    /// What the lease over a stack says.
    pub fn lease_of(&self, stack: &StackName) -> Option<Lease> {
        self.world().leases.get(stack).map(|seen| seen.lease.clone())
    }

    /// How often a lease was written.
    pub fn lease_writes(&self) -> u64 {
        self.world().lease_writes
    }

    /// Changes a spec behind everybody's back.
    pub fn tamper(&self, full_name: &str, change: impl FnOnce(&mut Value)) {
        let mut world = self.world();
        let version = world.next();
        if let Some(service) = world.services.get_mut(full_name) {
            change(&mut service.spec);
            service.version = version;
        }
        drop(world);
        self.beats.send_modify(|beats| *beats += 1);
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reach(&self) -> Result<MutexGuard<'_, World>, SwarmError> {
        let world = self.world();
        if world.unreachable { Err(unreachable_engine()) } else { Ok(world) }
    }
}

fn unreachable_engine() -> SwarmError {
    SwarmError::Unreachable { host: "unix:///fake.sock".to_owned(), detail: "connection refused".to_owned() }
}

impl World {
    fn next(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    fn service(&mut self, id: Option<String>, spec: &Value) -> Result<String, SwarmError> {
        let name = text(spec, "/Name");
        if id.is_none() && self.services.contains_key(&name) {
            return Err(SwarmError::NameTaken(format!("service {name} already exists")));
        }
        let updated = id.is_some();
        let (id, version) = (id.unwrap_or_else(|| format!("s{}", self.counter)), self.next());
        let update = updated.then(|| UpdateStatus {
            state: "completed".to_owned(),
            started_at: Some(version.to_string()),
            message: "update completed".to_owned(),
        });
        let replicas = spec.pointer("/Mode/Replicated/Replicas").and_then(Value::as_u64).unwrap_or(1);
        let is_among = |images: &BTreeSet<String>| plan::image_of(spec).is_some_and(|image| images.contains(image));
        let (crashes, is_slow) = (is_among(&self.crashing), is_among(&self.slow));
        let tries = if crashes { 4 } else { 1 };
        let state = match (crashes, is_slow) {
            (true, _) => "failed",
            (false, true) => "preparing",
            (false, false) => "running",
        };
        for slot in (1..=replicas).flat_map(|slot| (0..tries).map(move |_| slot)) {
            let number = self.next();
            let mut task = task(&id, slot, number, state);
            if let Some(words) = self.last_words.clone().filter(|_| crashes) {
                task.error = Some(words);
            }
            self.tasks.entry(id.clone()).or_default().push(task);
        }
        let live = LiveService {
            id: id.clone(),
            version,
            spec: spec.clone(),
            update,
            job_iteration: None,
            desired_tasks: replicas,
        };
        self.services.insert(name, live);
        Ok(id)
    }

    fn update(&mut self, id: &str, version: u64, spec: &Value) -> Result<String, SwarmError> {
        let known = self.services.values().find(|service| service.id == id);
        let known = known.ok_or_else(|| SwarmError::NotFound(format!("service {id} not found")))?;
        if known.version != version {
            return Err(SwarmError::OutOfSequence);
        }
        for task in self.tasks.entry(id.to_owned()).or_default() {
            "shutdown".clone_into(&mut task.desired_state);
            "shutdown".clone_into(&mut task.state);
        }
        self.service(Some(id.to_owned()), spec)
    }

    fn object(&mut self, kind: &'static str, spec: &Value) -> Result<String, SwarmError> {
        let name = text(spec, "/Name");
        let id = format!("{kind}{}", self.next());
        let labels = labels(spec);
        let data = (kind == "config").then(|| text(spec, "/Data"));
        let object =
            LiveObject { id: id.clone(), labels, scope: "swarm".to_owned(), version: 1, created_at: None, data };
        if self.objects.insert((kind, name.clone()), object).is_some() {
            return Err(SwarmError::NameTaken(format!("{kind} {name} already exists")));
        }
        Ok(id)
    }

    fn of_stack(&self, stack: &StackName) -> BTreeMap<String, LiveService> {
        self.services.iter().filter(|(_, service)| is_of(service, stack)).map(|(n, s)| (n.clone(), s.clone())).collect()
    }

    fn refuse_for_network(&mut self, spec: &Value) -> Result<(), SwarmError> {
        let Some((name, refusals)) = self.fading.as_mut() else { return Ok(()) };
        let networks = spec["TaskTemplate"]["Networks"].as_array().into_iter().flatten();
        if !networks.into_iter().any(|network| network["Target"] == **name) {
            return Ok(());
        }
        let refusal = SwarmError::Refused(format!("network {name} not found"));
        let key = ("network", name.clone());
        if *refusals == 0 {
            // It has to be made anew.
            return if self.objects.contains_key(&key) { Ok(()) } else { Err(refusal) };
        }
        *refusals -= 1;
        if *refusals == 0 {
            self.objects.remove(&key);
        }
        Err(refusal)
    }

    fn write(&mut self, write: &Write) -> Result<String, SwarmError> {
        match write {
            Write::CreateNetwork { spec } => self.object("network", spec),
            Write::CreateSecret { spec } => self.object("secret", spec),
            Write::CreateConfig { spec } => self.object("config", spec),
            Write::CreateService { spec } => {
                self.refuse_for_network(spec)?;
                self.service(None, spec)
            }
            Write::UpdateService { id, version, spec } => self.update(id, *version, spec),
            Write::LabelSecret { id, spec, .. } | Write::LabelConfig { id, spec, .. } => {
                let object = self.objects.values_mut().find(|object| object.id == *id);
                let object = object.ok_or_else(|| SwarmError::NotFound(format!("{id} not found")))?;
                object.version += 1;
                object.labels = labels(spec);
                Ok(id.clone())
            }
            Write::RemoveService { id } => {
                let removed = self.services.iter().find(|(_, service)| service.id == *id);
                let removed = removed.map(|(name, service)| (name.clone(), service.clone()));
                let tasks = self.tasks.remove(id).unwrap_or_default();
                if let Some((name, service)) = removed {
                    self.services.remove(&name);
                    if self.lingering.contains(&name) {
                        self.left.insert(name, (service, tasks));
                    }
                }
                Ok(id.clone())
            }
            Write::RemoveNetwork { id } | Write::RemoveSecret { id } | Write::RemoveConfig { id } => {
                self.objects.retain(|_, object| object.id != *id);
                Ok(id.clone())
            }
        }
    }
}

fn is_of(service: &LiveService, stack: &StackName) -> bool {
    let label = service.spec.get("Labels").and_then(|labels| labels.get(NAMESPACE_LABEL));
    label.and_then(Value::as_str) == Some(stack.as_str())
}

fn labels(spec: &Value) -> BTreeMap<String, String> {
    let labels = spec.get("Labels").and_then(Value::as_object).into_iter().flatten();
    labels.map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned())).collect()
}

fn text(spec: &Value, pointer: &str) -> String {
    spec.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn task(service: &str, slot: u64, number: u64, state: &str) -> Task {
    let crashes = state == "failed";
    Task {
        id: format!("t{number}"),
        service_id: service.to_owned(),
        slot: Some(slot),
        node_id: Some("n1".to_owned()),
        desired_state: if crashes { "shutdown" } else { "running" }.to_owned(),
        state: state.to_owned(),
        state_since: Some("2025-10-31T10:30:00Z".to_owned()),
        message: "started".to_owned(),
        error: crashes.then(|| "task: non-zero exit (3)".to_owned()),
        exit_code: crashes.then_some(3),
        job_iteration: None,
    }
}

fn node() -> Node {
    Node {
        id: "n1".to_owned(),
        hostname: "node-1".to_owned(),
        role: "manager".to_owned(),
        state: "ready".to_owned(),
        availability: "active".to_owned(),
        labels: BTreeMap::new(),
        engine_labels: BTreeMap::new(),
        os: "linux".to_owned(),
        architecture: "x86_64".to_owned(),
        nano_cpus: 8_000_000_000,
        memory_bytes: 64 << 30,
    }
}

#[async_trait]
impl Swarm for FakeSwarm {
    async fn check(&self) -> Result<String, SwarmError> {
        self.reach().map(|_| "a fake Engine".to_owned())
    }

    async fn live(&self, stack: &StackName) -> Result<LiveStack, SwarmError> {
        let mut world = self.reach()?;
        if std::mem::take(&mut world.stumbles.1) || world.hidden {
            return Err(unreachable_engine());
        }
        let of = |wanted: &str| {
            let objects = world.objects.iter().filter(|((kind, _), _)| *kind == wanted);
            objects.map(|((_, name), object)| (name.clone(), object.clone())).collect()
        };
        Ok(LiveStack {
            services: world.of_stack(stack),
            others: BTreeMap::new(),
            others_on_nodes: BTreeMap::new(),
            networks: of("network"),
            secrets: of("secret"),
            configs: of("config"),
            nodes: vec![node()],
        })
    }

    async fn observe(&self, stack: &StackName) -> Result<Observation, SwarmError> {
        let world = self.reach()?;
        assert!(world.collapse != Collapse::Always, "the code breaks, as the test wants it");
        let services = world.of_stack(stack);
        let left = world.left.values().filter(|(service, _)| is_of(service, stack)).flat_map(|(_, tasks)| tasks);
        let kept = services.values().flat_map(|service| world.tasks.get(&service.id).into_iter().flatten());
        let tasks: Vec<Task> = kept.chain(left).cloned().collect();
        let current = tasks.iter().filter(|task| task.state != "shutdown").map(|task| task.id.clone());
        Ok(Observation { up_to_date: current.collect(), services, tasks, nodes: vec![node()] })
    }

    async fn apply(&self, write: &Write) -> Result<String, SwarmError> {
        let mut world = self.reach()?;
        let done = world.write(write);
        if matches!(done, Err(SwarmError::NameTaken(_))) {
            world.stumbles.1 |= std::mem::take(&mut world.stumbles.0);
        }
        let done = done?;
        world.writes.push(write.clone());
        let lost = world.lose_answers > 0;
        world.lose_answers = world.lose_answers.saturating_sub(1);
        let collapses = world.collapse == Collapse::AfterWrite;
        if collapses {
            world.collapse = Collapse::Never;
        }
        drop(world);
        self.beats.send_modify(|beats| *beats += 1);
        assert!(!collapses, "the code breaks, as the test wants it");
        if lost { Err(unreachable_engine()) } else { Ok(done) }
    }

    async fn pin(&self, image: &str) -> Result<Pin, SwarmError> {
        let mut world = self.reach()?;
        world.asked.push(image.to_owned());
        if world.lost.contains(image) {
            return Err(SwarmError::NotFound(format!("manifest for {image} not found")));
        }
        if let Some(why) = world.silent.clone() {
            return Ok(Pin::Unknown(why));
        }
        Ok(world.digests.get(image).map_or(Pin::Local, |digest| {
            Pin::To(Pinned {
                image: format!("{image}@{digest}"),
                platforms: vec![Platform { architecture: "amd64".to_owned(), os: "linux".to_owned() }],
            })
        }))
    }

    async fn find_image(&self, image: &str) -> Result<ImagePresence, SwarmError> {
        let world = self.reach()?;
        let name = image.split_once('@').map_or(image, |(name, _)| name);
        Ok(if world.missing.contains(name) { ImagePresence::Missing } else { ImagePresence::Found })
    }

    async fn logs(&self, _task: &str, _lines: u32) -> Result<Vec<String>, SwarmError> {
        let mut world = self.reach()?;
        world.log_reads += 1;
        Ok(vec![world.last_words.clone().unwrap_or_else(|| "a line of log".to_owned())])
    }

    async fn service_logs(
        &self,
        service: &str,
        tail: u32,
        follow: bool,
    ) -> Result<BoxStream<'static, Result<LogLine, SwarmError>>, SwarmError> {
        drop(self.reach()?);
        let line = |number: u32, service: &str| {
            let text = format!("line {number} of {service}");
            Ok(LogLine { at: None, task: Some("t1".to_owned()), node: Some("n1".to_owned()), error: false, text })
        };
        let lines: Vec<_> = (1..=tail).map(|number| line(number, service)).collect();
        let later = futures::stream::pending::<Result<LogLine, SwarmError>>();
        let lines = futures::stream::iter(lines);
        Ok(if follow { lines.chain(later).boxed() } else { lines.boxed() })
    }

    async fn identity(&self) -> Result<Identity, SwarmError> {
        let mut world = self.reach()?;
        world.processes += 1;
        let process = format!("process-{}", world.processes);
        Ok(Identity { place: format!("{process} on node-1"), process, service: world.own_service.clone() })
    }

    async fn lease(&self, stack: &StackName) -> Result<Option<SeenLease>, SwarmError> {
        Ok(self.reach()?.leases.get(stack).cloned())
    }

    async fn put_lease(&self, stack: &StackName, lease: &Lease, before: Option<&SeenLease>) -> Result<(), SwarmError> {
        let mut world = self.reach()?;
        let known = world.leases.get(stack).map(|seen| seen.version);
        match (known, before.map(|seen| seen.version)) {
            (Some(_), None) => return Err(SwarmError::NameTaken(format!("the lease of {stack} already exists"))),
            (known, named) if known != named => return Err(SwarmError::OutOfSequence),
            _ => (),
        }
        let version = world.next();
        world.lease_writes += 1;
        world.leases.insert(stack.clone(), SeenLease { id: format!("lease-{stack}"), version, lease: lease.clone() });
        Ok(())
    }

    async fn changes(&self) -> Result<BoxStream<'static, ()>, SwarmError> {
        drop(self.reach()?);
        let beats = self.beats.subscribe();
        let next = |mut beats: watch::Receiver<u64>| async move { beats.changed().await.ok().map(|()| ((), beats)) };
        Ok(futures::stream::unfold(beats, next).boxed())
    }
}
