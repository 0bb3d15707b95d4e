//! After success the watch goes on: a task that ends later is told of, and history stays as it was written.

use std::time::Duration;

use super::look::label;
use super::{Look, Target, Timing, Watch};
use crate::deployment::TaskEvidence;
use crate::engine::{DEPLOYMENT_LABEL, Observation};

/// Nobody looks as often as during the deployment; what happens between looks that are further apart proves nothing.
const GAP: Duration = Duration::from_secs(90);

impl Watch {
    /// Takes up the watch over a service whose success an earlier process has recorded. What ended meanwhile was seen by
    /// nobody, and is not told.
    pub fn resumed(target: Target, timing: Timing) -> Self {
        let mut watch = Self::new(target, timing, Duration::ZERO);
        watch.blind = Some("the process was started anew".to_owned());
        watch
    }

    /// Goes on watching a service that has succeeded. Gives the task that has ended since, once for each; nothing while
    /// all is well, while the Engine cannot be asked, and once another deployment has written the service.
    pub fn relapse(&mut self, at: Duration, seen: Result<&Observation, &str>) -> Option<TaskEvidence> {
        let seen = match seen {
            Ok(seen) => seen,
            Err(why) => {
                self.blind = Some(why.to_owned());
                return None;
            }
        };
        let after_gap = self.blind.take().is_some() || at.saturating_sub(self.answered) > GAP;
        self.answered = at;
        let service = seen.services.get(&self.target.full_name)?;
        let written = self.target.spec.as_ref().and_then(|spec| label(spec, DEPLOYMENT_LABEL));
        if label(&service.spec, DEPLOYMENT_LABEL) != written {
            return None;
        }
        let look = Look::new(service, seen);
        let known = self.ended.clone();
        for task in &look.tasks {
            self.note_end(&look, task, after_gap);
        }
        let is_new = |id: &String| self.ended.contains(id) && !known.contains(id);
        look.tasks
            .iter()
            .find(|task| !after_gap && look.is_current(task) && look.is_on_ready_node(task) && is_new(&task.id))
            .map(|task| look.evidence(task))
    }
}
