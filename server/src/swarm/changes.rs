//! The Engine's events, as far as they tell that a look is worth while.
//!
//! There are no events of tasks. Those of the containers on the Engine's own node stand in for them; for the other
//! nodes polling must do.

use futures::StreamExt;
use futures::stream::{self, BoxStream};
use http_body_util::BodyStream;
use hyper::body::Incoming;
use release_manager::ports::SwarmError;
use serde_json::{Value, json};

use super::client::Client;
use super::read;

/// An event is a few hundred bytes; what never ends its line is no event stream.
const LONGEST_EVENT: usize = 1024 * 1024;

pub(super) async fn changes(client: &Client) -> Result<BoxStream<'static, ()>, SwarmError> {
    let types = json!({"type": ["service", "node", "secret", "config", "network", "container"]}).to_string();
    let body = client.open("/events", &[("filters", &types)]).await?;
    let changes = lines(body).filter(|line| futures::future::ready(is_change(line)));
    Ok(changes.map(|_| ()).boxed())
}

/// The lines of an answer, until it ends or breaks off.
fn lines(body: Incoming) -> impl futures::Stream<Item = Vec<u8>> + Send {
    stream::unfold((BodyStream::new(body), Vec::new()), |(mut body, mut held)| async move {
        loop {
            if let Some(end) = held.iter().position(|byte| *byte == b'\n') {
                let rest = held.split_off(end + 1);
                return Some((held, (body, rest)));
            }
            let data = body.next().await?.ok()?.into_data().unwrap_or_default();
            held.extend_from_slice(&data);
            if held.len() > LONGEST_EVENT {
                return None;
            }
        }
    })
}

fn is_change(line: &[u8]) -> bool {
    let Ok(event) = serde_json::from_slice::<Value>(line) else { return false };
    let action = read::text(&event, "/Action").unwrap_or_default();
    match read::text(&event, "/Type") {
        Some("container") => matches!(action, "start" | "die" | "oom") || action.starts_with("health_status"),
        // Every container that starts joins a network of its node: that says nothing new.
        Some("network") => read::text(&event, "/scope") == Some("swarm"),
        Some("service" | "node" | "secret" | "config") => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::is_change;

    #[track_caller]
    fn check(event: &str, expected: bool) {
        assert_eq!(is_change(event.as_bytes()), expected, "{event}");
    }

    #[test]
    fn what_may_change_a_verdict_wakes_and_the_rest_does_not() {
        check(r#"{"Type": "service", "Action": "update", "scope": "swarm"}"#, true);
        check(r#"{"Type": "node", "Action": "update", "scope": "swarm"}"#, true);
        check(r#"{"Type": "network", "Action": "create", "scope": "swarm"}"#, true);
        check(r#"{"Type": "network", "Action": "connect", "scope": "local"}"#, false);
        check(r#"{"Type": "container", "Action": "die", "scope": "local"}"#, true);
        check(r#"{"Type": "container", "Action": "health_status: healthy"}"#, true);
        check(r#"{"Type": "container", "Action": "exec_start: ls"}"#, false);
        check(r#"{"Type": "unheard-of", "Action": "update"}"#, false);
        check("no event", false);
    }
}
