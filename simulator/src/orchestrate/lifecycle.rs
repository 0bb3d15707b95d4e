//! The life of a task on its node, from `new` to its end.

use std::time::Duration;

use crate::{
    behaviour::{self, Behaviour, Health},
    clock::NEVER,
    orchestrate::World,
    spec::Healthcheck,
    state::task::{Container, Gate, Logged, State, Step, Task},
};

/// From creation to the scheduler.
const ALLOCATE: Duration = Duration::from_millis(10);
/// From there to the first work.
const PREPARE: Duration = Duration::from_millis(20);

impl World {
    /// Starts the life of a new task.
    pub(crate) fn begin_life(&mut self, id: &str) {
        let at = self.ahead(ALLOCATE);
        self.plan_task(id, |task| task.next = Some((at, Step::Advance)));
    }

    /// What the task's container does.
    pub(crate) fn behaviour(&self, task: &Task) -> Behaviour {
        behaviour::of(&task.template.parsed.container_spec, &self.options.images, task.iteration.is_some())
    }

    /// Takes every step that is due, in the order in which they fell due.
    pub(crate) fn step_due(&mut self) {
        let mut due: Vec<(crate::clock::Moment, u64, String)> = self
            .tasks()
            .filter_map(|task| {
                let (at, _) = task.next.as_ref().filter(|(at, _)| *at <= self.now)?;
                Some((*at, task.serial, task.id.clone()))
            })
            .collect();
        due.sort_unstable();
        for (_, _, id) in due {
            self.step(&id);
        }
    }

    fn step(&mut self, id: &str) {
        let Some(task) = self.task(id) else { return };
        if task.node.is_some() && self.is_away(task.node.as_deref()) && task.status.state >= State::Assigned {
            // Nobody can say what happens on a node that does not answer.
            self.plan_task(id, |task| task.next = task.next.take().map(|(_, step)| (NEVER, step)));
            return;
        }
        let Some((_, step)) = task.next.clone() else { return };
        self.plan_task(id, |task| task.next = None);
        match step {
            Step::Advance => self.advance(id),
            Step::Exit(code) => self.end(id, code, None),
            Step::Unhealthy => self.end(id, 143, Some("task: non-zero exit (143): dockerexec: unhealthy container")),
            Step::Stopped => self.stopped(id),
        }
    }

    fn advance(&mut self, id: &str) {
        let Some(task) = self.task(id) else { return };
        let behaviour = self.behaviour(task);
        match task.status.state {
            State::New => {
                self.enter(id, State::Pending, None);
                self.schedule = true;
            }
            State::Assigned => self.enter(id, State::Accepted, Some((PREPARE, Step::Advance))),
            State::Accepted => {
                let prepare = Duration::from_millis(behaviour.prepare_ms);
                self.enter(id, State::Preparing, Some((prepare, Step::Advance)));
            }
            State::Preparing => {
                if let Some(why) = self.why_rejected(id, &behaviour) {
                    self.reject(id, &why);
                } else {
                    self.enter(id, State::Ready, None);
                    self.start_if_desired(id);
                }
            }
            State::Starting => self.running(id, &behaviour),
            _ => {}
        }
    }

    fn enter(&mut self, id: &str, state: State, next: Option<(Duration, Step)>) {
        let next = next.map(|(after, step)| (self.ahead(after), step));
        self.change_task(id, |task, at| {
            task.enter(state, at);
            task.next = next;
        });
    }

    fn why_rejected(&self, id: &str, behaviour: &Behaviour) -> Option<String> {
        let container = &self.task(id)?.template.parsed.container_spec;
        if behaviour.missing {
            return Some(format!("No such image: {}", crate::image::without_digest(&container.image)));
        }
        if behaviour.bare {
            let word = container.command.iter().chain(&container.args).next().map_or("", String::as_str);
            return Some(format!(
                "failed to create task for container: OCI runtime create failed: runc create failed: unable to start \
                 container process: exec: {word:?}: executable file not found in $PATH: unknown"
            ));
        }
        let short = container.mounts.iter().find(|mount| mount.kind == "volume" && mount.source.len() == 1)?;
        Some(format!(
            "create {}: volume name is too short, names should be at least two alphanumeric characters",
            short.source
        ))
    }

    fn reject(&mut self, id: &str, why: &str) {
        self.schedule = true;
        self.change_task(id, |task, at| {
            task.enter(State::Rejected, at);
            task.status.error = Some(why.to_owned());
            task.status.container = Some(Container::default());
        });
        self.note_failure(id);
    }

    /// Starts a prepared task if it is to run.
    pub(crate) fn start_if_desired(&mut self, id: &str) {
        let Some(task) = self.task(id) else { return };
        if task.status.state != State::Ready || !matches!(task.desired, State::Running | State::Complete) {
            return;
        }
        let behaviour = self.behaviour(task);
        let check = task.template.parsed.container_spec.healthcheck.as_ref().is_some_and(Healthcheck::is_on);
        let patience = Behaviour::patience(&task.template.parsed.container_spec);
        let start = Duration::from_millis(behaviour.start_ms);
        let next = match behaviour.health {
            Health::Never => (start + patience, Step::Unhealthy),
            Health::After(ms) if check => (start + Duration::from_millis(ms), Step::Advance),
            Health::After(_) => (start, Step::Advance),
        };
        let container = Container { id: self.ids.hex(), pid: 0, exit_code: 0 };
        self.enter(id, State::Starting, Some(next));
        self.change_task(id, |task, _| task.status.container = Some(container));
        self.write_first_lines(id, &behaviour);
    }

    fn running(&mut self, id: &str, behaviour: &Behaviour) {
        let next = behaviour.exit.map(|exit| (Duration::from_millis(exit.after_ms), Step::Exit(exit.code)));
        self.enter(id, State::Running, next);
        self.change_task(id, |task, _| {
            let pid = 1_000 + task.serial;
            if let Some(container) = &mut task.status.container {
                container.pid = pid;
            }
        });
        self.tell_container(id, "start", None);
    }

    /// Ends a container with a code.
    pub(crate) fn end(&mut self, id: &str, code: i64, error: Option<&str>) {
        let error = error.map_or_else(|| format!("task: non-zero exit ({code})"), str::to_owned);
        self.schedule = true;
        self.change_task(id, |task, at| {
            let was = task.status.message;
            task.enter(if code == 0 { State::Complete } else { State::Failed }, at);
            if code != 0 {
                task.status.message = was;
                task.status.error = Some(error);
            }
            task.next = None;
            let container = task.status.container.get_or_insert_default();
            (container.pid, container.exit_code) = (0, code);
        });
        let line = if code == 0 { "done" } else { "fatal: cannot go on" };
        self.log(id, code != 0, line);
        self.tell_container(id, "die", Some(code));
        self.note_failure(id);
    }

    fn stopped(&mut self, id: &str) {
        self.schedule = true;
        self.change_task(id, |task, at| {
            let ran = task.status.state >= State::Starting;
            task.enter(State::Shutdown, at);
            let container = task.status.container.get_or_insert_default();
            (container.pid, container.exit_code) = (0, if ran { 143 } else { 0 });
        });
        self.tell_container(id, "die", Some(143));
        self.note_failure(id);
    }

    /// Sets the desired state and lets the node act on it.
    pub(crate) fn desire(&mut self, id: &str, desired: State) {
        let Some(task) = self.task(id) else { return };
        if task.desired >= desired {
            return;
        }
        let behaviour = self.behaviour(task);
        let stops = desired > State::Complete && task.holds_node();
        let is_stopping = matches!(task.next, Some((_, Step::Stopped)));
        let stop = if self.is_away(task.node.as_deref()) {
            NEVER
        } else {
            self.ahead(Duration::from_millis(behaviour.stop_ms))
        };
        let unscheduled = desired > State::Complete && task.status.state < State::Assigned;
        self.change_task(id, |task, _| {
            task.desired = desired;
            if stops && !is_stopping {
                task.next = Some((stop, Step::Stopped));
            }
            if desired > State::Complete {
                task.gate = None;
            }
            if unscheduled {
                task.next = None;
            }
        });
        self.start_if_desired(id);
    }

    /// When a gate should be looked at: its time, or the end of waiting for the old task.
    pub(crate) fn gate_due(&self, gate: &Gate) -> crate::clock::Moment {
        match &gate.after {
            Some((old, until)) if self.blocks(old) => gate.not_before.max(*until),
            _ => gate.not_before,
        }
    }

    fn blocks(&self, old: &str) -> bool {
        self.task(old).is_some_and(|old| {
            !old.is_dead() && old.status.state >= State::Assigned && !self.is_down(old.node.as_deref())
        })
    }

    /// Lets delayed tasks go.
    pub(crate) fn open_gates(&mut self) {
        let open: Vec<(String, State)> = self
            .tasks()
            .filter_map(|task| Some((task, task.gate.as_ref()?)))
            .filter(|(_, gate)| self.gate_due(gate) <= self.now)
            .map(|(task, gate)| (task.id.clone(), gate.to))
            .collect();
        for (id, to) in open {
            self.plan_task(&id, |task| task.gate = None);
            self.desire(&id, to);
        }
    }

    fn write_first_lines(&mut self, id: &str, behaviour: &Behaviour) {
        let Some(task) = self.task(id) else { return };
        let image = crate::image::without_digest(&task.template.parsed.container_spec.image);
        if !behaviour.logs.is_empty() {
            for line in &behaviour.logs {
                self.log(id, line.error, &line.text);
            }
            return;
        }
        self.log(id, false, &format!("starting {image}"));
        self.log(id, false, "configuration read");
        self.log(id, false, "listening on 0.0.0.0:8080");
        if behaviour.exit.is_some_and(|exit| exit.code != 0) {
            self.log(id, true, "error: could not open the database: connection refused");
        }
        if behaviour.health == Health::Never {
            self.log(id, true, "health check: GET /health answered 503");
        }
    }

    fn log(&mut self, id: &str, error: bool, text: &str) {
        let line = Logged { at: self.stamp(), error, text: text.to_owned() };
        self.plan_task(id, |task| task.logs.push(line));
    }

    fn tell_container(&mut self, id: &str, action: &'static str, code: Option<i64>) {
        let Some(task) = self.task(id) else { return };
        let is_here = task.node.as_ref().is_some_and(|node| self.nodes.first().is_some_and(|first| first.id == *node));
        let Some(container) = task.status.container.as_ref().filter(|container| is_here && !container.id.is_empty())
        else {
            return;
        };
        let (container, task_id, service) = (container.id.clone(), task.id.clone(), task.service.clone());
        let (name, image) = (task.service_name.clone(), task.template.parsed.container_spec.image.clone());
        let code = code.map(|code| code.to_string());
        let mut attributes = vec![
            ("com.docker.swarm.service.id", service.as_str()),
            ("com.docker.swarm.service.name", name.as_str()),
            ("com.docker.swarm.task.id", task_id.as_str()),
            ("image", image.as_str()),
        ];
        if let Some(code) = &code {
            attributes.push(("exitCode", code));
        }
        self.tell("container", action, &container, &attributes);
    }
}
