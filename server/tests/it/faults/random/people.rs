//! What people ask for in a random world: the docker command, and every request that changes something.

use release_manager::names::{Actor, DeploymentId};
use serde_json::json;
use simulator::Daemon;

use super::super::oracle::Database;
use super::super::rig::name;
use super::World;

pub(super) fn person() -> Actor {
    Actor::Person("ada".to_owned())
}

impl World {
    /// A person with the docker command.
    pub(super) async fn hand(&mut self) {
        let service = self.dice.pick(&["a", "b", "c", "d"]);
        let full_name = self.rig.full_name(service);
        let answers = self.rig.simulator().daemon() == Daemon::Up && !self.rig.simulator().swarm_trouble();
        if !answers || !self.rig.engine.services().await.contains_key(&full_name) {
            return;
        }
        self.rig.simulator().clear_faults();
        let (kind, image) = (self.dice.below(4), format!("app:{}", 7 + self.dice.below(2)));
        self.tell(format!("hand {kind} {full_name} {image}"));
        match kind {
            0 => {
                let change = |spec: &mut serde_json::Value| {
                    spec["TaskTemplate"]["ContainerSpec"]["Image"] = json!(image);
                };
                self.rig.engine.change(&full_name, "", change).await;
            }
            1 => {
                let change = |spec: &mut serde_json::Value| spec["Mode"]["Replicated"]["Replicas"] = json!(4);
                self.rig.engine.change(&full_name, "", change).await;
            }
            2 => self.rig.engine.remove(&full_name).await,
            _ => {
                let spec = self.rig.engine.get(&format!("/services/{full_name}")).await["Spec"].clone();
                self.rig.engine.remove(&full_name).await;
                self.rig.engine.create(&spec).await;
            }
        }
    }

    pub(super) async fn promote(&mut self) {
        if !self.rig.runs() {
            return;
        }
        let one = self.dice.pick(&["a", "b", "c", "d"]).parse().unwrap();
        let chosen = self.dice.percent(50).then(|| [one].into());
        self.tell(format!("promote {chosen:?}"));
        let answer = self.rig.manager().promote(person(), &name("prod"), chosen, None).await;
        self.tell(format!("promoted: {:?}", answer.map_err(|error| error.to_string())));
    }

    pub(super) async fn cancel(&mut self) {
        if !self.rig.runs() {
            return;
        }
        let live = self.rig.manager().live().borrow().clone();
        let running = live.environments.values().filter_map(|known| known.deployment.as_ref());
        let running = running.filter(|progress| !progress.status.is_final()).map(|progress| progress.id).next();
        if let Some(DeploymentId(id)) = running {
            self.tell(format!("cancel {id}"));
            let goes_back = self.dice.percent(40);
            self.tell(format!("and go back: {goes_back}"));
            let _ = self.rig.manager().cancel(person(), DeploymentId(id), goes_back).await;
        }
    }

    /// To a deployment of before, of either environment: most are refused, and that must do no harm.
    pub(super) async fn roll_back(&mut self) {
        if !self.rig.runs() {
            return;
        }
        let environment = name(self.dice.pick(&["preprod", "preprod", "prod"]));
        let newest = Database::open(&self.rig).await.count("attempts").await;
        let to = 1 + i64::try_from(self.dice.below(u64::try_from(newest.max(1)).unwrap())).unwrap();
        let one = self.dice.pick(&["a", "b", "c", "d"]).parse().unwrap();
        let chosen = self.dice.percent(30).then(|| [one].into());
        self.tell(format!("roll {environment} back to {to}, {chosen:?}"));
        let answer = self.rig.manager().roll_back(person(), &environment, DeploymentId(to), chosen, None).await;
        self.tell(format!("rolled back: {:?}", answer.map_err(|error| error.to_string())));
    }

    pub(super) async fn restart(&mut self) {
        if !self.rig.runs() {
            return;
        }
        let environment = name(self.dice.pick(&["preprod", "prod"]));
        let service = self.dice.pick(&["a", "b", "c", "d"]).parse().unwrap();
        self.tell(format!("restart {service} of {environment}"));
        let answer = self.rig.manager().restart(person(), &environment, &service).await;
        self.tell(format!("restarted: {:?}", answer.map_err(|error| error.to_string())));
    }

    pub(super) async fn hold_or_resume(&mut self) {
        if !self.rig.runs() {
            return;
        }
        let is_hold = self.dice.percent(40);
        self.tell(if is_hold { "hold preprod" } else { "resume preprod" }.to_owned());
        let (manager, preprod) = (self.rig.manager(), name("preprod"));
        if is_hold {
            let _ = manager.hold(person(), &preprod, "looking".parse().unwrap()).await;
        } else {
            let _ = manager.resume(person(), &preprod).await;
        }
    }
}
