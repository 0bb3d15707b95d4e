//! Following a deployment to its end: progress where somebody watches, and the truth from history at last.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use futures::{Stream, StreamExt};
use reqwest::Response;
use serde_json::Value;

use super::Output;
use super::api::Api;
use super::text::{member, plain, print, print_json, table};
use crate::cli::Failure;

/// How long to wait before a stream that broke is opened again.
const AGAIN: Duration = Duration::from_secs(2);
/// How long a server may be away: it may be updating itself.
const PATIENCE: Duration = Duration::from_mins(3);

/// Follows a deployment and tells its outcome. Fails where it did not succeed.
pub(super) async fn follow(api: &Api, id: i64, output: Output) -> Result<(), Failure> {
    let ended = end(api, id, output).await?;
    match output {
        Output::Json => print_json(&ended)?,
        Output::Text => print(&outcome(&ended))?,
    }
    match ended["status"].as_str() {
        Some("success") => Ok(()),
        _ => Err(Failure::no_success(format!("deployment {id} ended as {}", member(&ended, "status")))),
    }
}

async fn end(api: &Api, id: i64, output: Output) -> Result<Value, Failure> {
    let mut progress = Progress::new(output);
    let mut heard = Instant::now();
    loop {
        match api.get(&format!("api/deployments/{id}"), &[]).await {
            Ok(known) if known["status"] != "in_progress" => return Ok(known),
            Ok(_) => {
                heard = Instant::now();
                watch(api, id, &mut progress).await;
            }
            Err(failure) if failure.may_pass() && heard.elapsed() < PATIENCE => (),
            Err(failure) => return Err(failure),
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// Shows what moves until the deployment is over or the stream breaks.
async fn watch(api: &Api, id: i64, progress: &mut Progress) {
    let Ok(response) = api.stream("api/events", &[]).await else { return };
    let mut events = events(response);
    while let Some(live) = events.next().await {
        let environments = live["environments"].as_object().into_iter().flatten();
        let Some(known) = environments.map(|(_, known)| &known["deployment"]).find(|known| known["id"] == id) else {
            continue;
        };
        progress.show(known);
        if known["status"] != "in_progress" {
            return;
        }
    }
}

/// The data of server-sent events, as JSON. Ends when the stream does.
pub(super) fn events(response: Response) -> impl Stream<Item = Value> {
    let bytes = response.bytes_stream().boxed();
    let state = (bytes, Vec::new());
    let events = futures::stream::unfold(state, async |(mut bytes, mut buffer): (_, Vec<u8>)| {
        loop {
            if let Some(end) = buffer.windows(2).position(|two| two == b"\n\n") {
                let event: Vec<u8> = buffer.drain(..end + 2).collect();
                return Some((data(&event), (bytes, buffer)));
            }
            buffer.extend_from_slice(&futures::StreamExt::next(&mut bytes).await?.ok()?);
        }
    });
    events.filter_map(std::future::ready).boxed()
}

fn data(event: &[u8]) -> Option<Value> {
    let text = String::from_utf8_lossy(event);
    let lines: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("data:")).collect();
    serde_json::from_str(&lines.join("\n")).ok()
}

/// Where a person watches, lines that change in place; else a line for each change.
struct Progress {
    quiet: bool,
    in_place: bool,
    shown: Vec<String>,
}

impl Progress {
    fn new(output: Output) -> Self {
        let in_place = std::io::stderr().is_terminal();
        Self { quiet: output == Output::Json && !in_place, in_place, shown: Vec::new() }
    }

    fn show(&mut self, deployment: &Value) {
        if self.quiet {
            return;
        }
        let lines = lines(deployment);
        let mut error = std::io::stderr().lock();
        // Where standard error is closed there is nobody to tell.
        if self.in_place {
            if !self.shown.is_empty() {
                let _ = write!(error, "\x1b[{}A", self.shown.len());
            }
            for line in &lines {
                let _ = writeln!(error, "\x1b[2K{line}");
            }
        } else {
            for line in lines.iter().filter(|line| !self.shown.contains(line)) {
                let _ = writeln!(error, "{line}");
            }
        }
        self.shown = lines;
    }
}

/// One line for each service of a deployment in progress.
fn lines(deployment: &Value) -> Vec<String> {
    let services = deployment["services"].as_object().into_iter().flatten();
    let rows: Vec<Vec<String>> = services
        .map(|(name, service)| {
            let versions = format!("{} -> {}", member(service, "from"), member(service, "to"));
            let tasks = format!("{}/{}", member(service, "running"), member(service, "desired"));
            let mut row = vec![plain(name), versions, phase(&service["phase"]), tasks];
            row.extend(service["message"].as_str().map(plain));
            row
        })
        .collect();
    table(&rows).lines().map(str::to_owned).collect()
}

fn phase(phase: &Value) -> String {
    match phase["phase"].as_str() {
        Some("verifying") => format!("verifying {}/{} s", phase["stable_seconds"], phase["of_seconds"]),
        Some("done") => member(&phase["verdict"], "verdict"),
        _ => member(phase, "phase"),
    }
}

/// What became of a deployment.
pub(super) fn outcome(ended: &Value) -> String {
    let mut rows = vec![["SERVICE", "FROM", "TO", "VERDICT", "WHY"].map(str::to_owned).to_vec()];
    for service in ended["services"].as_array().into_iter().flatten() {
        let verdict = if service["verdict"].is_null() { member(service, "status") } else { member(service, "verdict") };
        let why = service["message"].as_str().map(plain).unwrap_or_default();
        rows.push(vec![member(service, "service"), member(service, "from"), member(service, "version"), verdict, why]);
    }
    let services = if rows.len() > 1 { table(&rows) } else { String::new() };
    let logs: String = ended["services"].as_array().into_iter().flatten().filter_map(last_lines).collect();
    let why = match (rows.len(), ended["error_message"].as_str()) {
        (1, Some(why)) => format!("{}\n", plain(why)),
        _ => String::new(),
    };
    format!(
        "{services}{logs}{why}deployment {} of {}: {}\n",
        ended["deployment_id"],
        member(ended, "environment"),
        member(ended, "status"),
    )
}

/// The last lines of a service that failed.
fn last_lines(service: &Value) -> Option<String> {
    let lines = service["log_lines"].as_array().filter(|lines| !lines.is_empty())?;
    let lines: Vec<String> = lines.iter().filter_map(Value::as_str).map(plain).collect();
    Some(format!("last lines of {}:\n  {}\n", member(service, "service"), lines.join("\n  ")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_outcome_tells_why_a_service_failed_with_its_last_lines() {
        let ended = json!({
            "deployment_id": 7, "environment": "prod", "status": "failed", "error_message": "web: it crashes",
            "services": [
                { "service": "web", "from": "1", "version": "2", "verdict": "failed", "message": "it crashes", "log_lines": ["boom\u{1b}[0m"] },
                { "service": "db", "from": null, "version": "9", "verdict": "succeeded", "message": null, "log_lines": [] },
            ],
        });
        assert_eq!(
            outcome(&ended),
            "SERVICE  FROM  TO  VERDICT    WHY\n\
             web      1     2   failed     it crashes\n\
             db       -     9   succeeded\n\
             last lines of web:\n  boom\\u{1b}[0m\n\
             deployment 7 of prod: failed\n"
        );
    }

    #[test]
    fn a_deployment_that_touched_no_service_says_why_it_ended() {
        let ended = json!({ "deployment_id": 7, "environment": "prod", "status": "failed", "error_message": "no network", "services": [] });
        assert_eq!(outcome(&ended), "no network\ndeployment 7 of prod: failed\n");
    }

    #[test]
    fn progress_is_one_line_for_each_service() {
        let deployment = json!({ "services": {
            "web": { "from": "1", "to": "2", "phase": { "phase": "verifying", "stable_seconds": 3, "of_seconds": 20 }, "running": 1, "desired": 2, "message": null },
            "db": { "from": null, "to": "9", "phase": { "phase": "done", "verdict": { "verdict": "succeeded" } }, "running": 1, "desired": 1, "message": null },
        } });
        assert_eq!(lines(&deployment), ["db   - -> 9  succeeded         1/1", "web  1 -> 2  verifying 3/20 s  1/2"]);
    }

    #[test]
    fn the_data_of_an_event_may_have_several_lines() {
        assert_eq!(data(b"event: x\ndata: {\"a\":\ndata: 1}\n\n"), Some(json!({ "a": 1 })));
        assert_eq!(data(b": keep-alive\n\n"), None);
    }
}
