//! What the tests of notifications share.

use release_manager::names::DeploymentId;
use release_manager::notice::{Event, Notice};
use release_manager::time::Timestamp;

use super::target::{Channel, Target};

pub(super) fn failed() -> Notice {
    Notice {
        event: Event::Failed,
        environment: Some("prod".parse().unwrap()),
        deployment: Some(DeploymentId(42)),
        commit: Some("0123456789012345678901234567890123456789".parse().unwrap()),
        at: Timestamp::from_millis(1_700_000_000_000),
        title: "prod: deployment 42 failed".to_owned(),
        lines: vec![
            "Promoted from preprod by mara, revision 0123456".to_owned(),
            "web 1 → 2: ended 3 times, exit 1: <b>@everyone</b> & more".to_owned(),
        ],
    }
}

pub(super) fn target(channel: Channel) -> Target {
    Target { name: "test".to_owned(), events: None, environments: None, channel }
}
