//! Which deployments have ended, as one looks at them again.

use std::collections::BTreeMap;

use release_manager::deployment::Status;
use release_manager::names::{DeploymentId, EnvironmentName};

/// The deployment of every environment that runs or was last, and how it stands.
pub type Stands = BTreeMap<EnvironmentName, (DeploymentId, Status)>;

/// The deployments that were in progress and are over.
pub fn ended(before: &Stands, now: &Stands) -> Vec<(EnvironmentName, (DeploymentId, Status))> {
    let is_news = |(name, (id, status)): &(&EnvironmentName, &(DeploymentId, Status))| {
        let was = before.get(*name);
        status.is_final() && was.is_some_and(|(known, was)| known == id && !was.is_final())
    };
    now.iter().filter(is_news).map(|(name, stands)| (name.clone(), *stands)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_end_that_was_watched_is_news() {
        let stands = |id, status| Stands::from([("prod".parse().unwrap(), (DeploymentId(id), status))]);
        for (before, now, news) in [
            (stands(1, Status::InProgress), stands(1, Status::Success), 1),
            (stands(1, Status::InProgress), stands(1, Status::InProgress), 0),
            (stands(1, Status::Success), stands(1, Status::Success), 0),
            (stands(1, Status::Success), stands(2, Status::Failed), 0),
            (Stands::new(), stands(1, Status::Success), 0),
        ] {
            assert_eq!(ended(&before, &now).len(), news);
        }
    }
}
