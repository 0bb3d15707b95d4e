//! Orders: what changes something.

use std::io::{self, BufRead, IsTerminal, Write};
use std::time::Duration;

use futures::StreamExt;
use serde_json::{Value, json};

use super::api::Api;
use super::follow::{events, follow};
use super::text::{member, plain, print, print_json, say};
use super::{Connection, Output, show};
use crate::cli::Failure;

/// How long `sync --wait` waits for the repository.
const SOURCE_PATIENCE: Duration = Duration::from_mins(2);

/// What every order that begins a deployment takes.
#[derive(Debug, Clone, Copy, clap::Args)]
struct Following {
    /// Follow the deployment to its end; exit code 3 where it does not succeed.
    #[arg(long, short)]
    wait: bool,
}

impl Following {
    /// Tells which deployment has begun, and follows it where that is wanted.
    async fn after(self, api: &Api, accepted: &Value, output: Output) -> Result<(), Failure> {
        let id = accepted["deployment_id"].as_i64();
        let id = id.ok_or_else(|| Failure::new("the server's answer names no deployment"))?;
        if self.wait {
            return follow(api, id, output).await;
        }
        match output {
            Output::Json => print_json(accepted),
            Output::Text => print(&format!("deployment {id} has begun: follow it with `release-manager wait {id}`\n")),
        }
    }
}

/// Asks the person at the terminal. Without one, `--yes` must have said it.
fn confirm(yes: bool, question: &str) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() {
        return Err(Failure::usage(format!("{question} Nobody is there to ask: say --yes")));
    }
    let _ = write!(io::stderr(), "{question} [y/N] ");
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).map_err(Failure::new)?;
    if matches!(answer.trim(), "y" | "Y" | "yes") { Ok(()) } else { Err(Failure::new("nothing was done")) }
}

/// Shows a plan. Returns how many services it touches; one that touches none, or cannot work, is not ordered.
fn looked_over(plan: &Value, environment: &str) -> Result<usize, Failure> {
    say(show::planned(plan).trim_end());
    if plan["blockers"].as_array().is_some_and(|blockers| !blockers.is_empty()) {
        return Err(Failure::new("the plan cannot work, nothing was done"));
    }
    match show::changes(plan) {
        0 => Err(Failure::nothing_to_do(format!("{environment} already runs this"))),
        count => Ok(count),
    }
}

/// `release-manager promote`
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Promote {
    /// Where the release goes.
    environment: String,

    /// Promote only this service; may be given several times.
    #[arg(long = "service", value_name = "SERVICE")]
    services: Vec<String>,

    /// Only if the plan is still the one of this hash, as `diff --output json` tells it.
    #[arg(long, value_name = "HASH")]
    plan_hash: Option<String>,

    /// Do not ask.
    #[arg(long, short)]
    yes: bool,

    #[command(flatten)]
    following: Following,

    #[command(flatten)]
    connection: Connection,
}

impl Promote {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let api = self.connection.api()?;
        let plan = show::plan(&api, &self.environment, &self.services).await?;
        let count = looked_over(&plan, &self.environment)?;
        confirm(self.yes, &format!("Promote {count} services to {}?", self.environment))?;
        // What was shown is what is ordered.
        let hash = self.plan_hash.map_or_else(|| plan["plan_hash"].clone(), Value::from);
        let mut order = json!({ "confirm": true, "plan_hash": hash });
        if !self.services.is_empty() {
            order["services"] = json!(self.services);
        }
        let accepted = api.post(&format!("api/deploy/{}", self.environment), &order).await?;
        self.following.after(&api, &accepted, self.connection.output).await
    }
}

/// `release-manager rollback`
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Rollback {
    /// The environment.
    environment: String,

    /// The row of history whose release it is to have again, as `history` shows it.
    #[arg(long, value_name = "ROW")]
    to: i64,

    /// Roll back only this service; may be given several times.
    #[arg(long = "service", value_name = "SERVICE")]
    services: Vec<String>,

    /// Do not ask.
    #[arg(long, short)]
    yes: bool,

    #[command(flatten)]
    following: Following,

    #[command(flatten)]
    connection: Connection,
}

impl Rollback {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let api = self.connection.api()?;
        let rollback = show::rollback(&api, &self.environment, self.to, &self.services).await?;
        let plan = &rollback["plan"];
        let count = looked_over(plan, &self.environment)?;
        if rollback["holds"] == true {
            say(&format!("{} follows the repository: it is held until a newer revision comes", self.environment));
        }
        let (from, at) = (member(&rollback, "deployment_id"), member(&rollback, "started_at"));
        let question = format!("Roll {count} services of {} back to deployment {from} of {at}?", self.environment);
        confirm(self.yes, &question)?;
        // What was shown is what is ordered.
        let mut order = json!({ "confirm": true, "deployment_history_id": self.to, "plan_hash": plan["plan_hash"] });
        if !self.services.is_empty() {
            order["services"] = json!(self.services);
        }
        let accepted = api.post(&format!("api/rollback/{}", self.environment), &order).await?;
        self.following.after(&api, &accepted, self.connection.output).await
    }
}

/// `release-manager sync`
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Sync {
    /// Bring this environment to the newest revision, as a deployment.
    environment: Option<String>,

    /// Wait until the repository has answered; with an environment, follow the deployment to its end.
    #[arg(long, short)]
    wait: bool,

    #[command(flatten)]
    connection: Connection,
}

impl Sync {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let api = self.connection.api()?;
        if let Some(environment) = &self.environment {
            let accepted = api.post(&format!("api/sync/{environment}"), &json!({})).await?;
            return Following { wait: self.wait }.after(&api, &accepted, self.connection.output).await;
        }
        let before = api.post("api/sync", &json!({})).await?;
        let now = if self.wait { answered(&api, &before).await? } else { before };
        match (self.connection.output, self.wait) {
            (Output::Json, _) => print_json(&now)?,
            (Output::Text, false) => print(&format!("{} is being asked\n", member(&now, "name")))?,
            (Output::Text, true) => print(&format!(
                "{} {} is at {}: {}\n",
                member(&now, "name"),
                member(&now, "branch"),
                now["head"]["sha"].as_str().map_or("-", |sha| sha.get(..7).unwrap_or(sha)),
                now["head"]["message"]
                    .as_str()
                    .and_then(|message| message.lines().next())
                    .map(plain)
                    .unwrap_or_default(),
            ))?,
        }
        match now["problem"]["message"].as_str() {
            Some(problem) if self.wait => Err(Failure::unavailable(plain(problem))),
            _ => Ok(()),
        }
    }
}

/// The source once it has answered, well or badly, after what was known before.
async fn answered(api: &Api, before: &Value) -> Result<Value, Failure> {
    let mut events = events(api.stream("api/events", &[]).await?);
    let waiting = async {
        while let Some(live) = events.next().await {
            let source = &live["source"];
            if source["tried_at"] != before["tried_at"] {
                return Some(source.clone());
            }
        }
        None
    };
    let answered = tokio::time::timeout(SOURCE_PATIENCE, waiting).await.ok().flatten();
    answered.ok_or_else(|| Failure::temporary("the repository has not answered yet: look at `release-manager status`"))
}

/// `release-manager cancel`
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Cancel {
    /// The deployment.
    id: i64,

    #[command(flatten)]
    following: Following,

    #[command(flatten)]
    connection: Connection,
}

impl Cancel {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let api = self.connection.api()?;
        let answer = api.post(&format!("api/deploy/cancel/{}", self.id), &json!({})).await?;
        if self.following.wait {
            return follow(&api, self.id, self.connection.output).await;
        }
        match self.connection.output {
            Output::Json => print_json(&answer),
            Output::Text => print(&format!("deployment {} stops at the next safe point\n", self.id)),
        }
    }
}

/// `release-manager hold`
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Hold {
    /// The environment.
    environment: String,

    /// Why, for whoever wonders.
    #[arg(long)]
    reason: String,

    #[command(flatten)]
    connection: Connection,
}

impl Hold {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let path = format!("api/environments/{}/hold", self.environment);
        let answer = self.connection.api()?.post(&path, &json!({ "reason": self.reason })).await?;
        match self.connection.output {
            Output::Json => print_json(&answer),
            Output::Text => {
                print(&format!("{} is held: it follows no new revision until it is resumed\n", self.environment))
            }
        }
    }
}

/// `release-manager resume`
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Resume {
    /// The environment.
    environment: String,

    #[command(flatten)]
    connection: Connection,
}

impl Resume {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let path = format!("api/environments/{}/resume", self.environment);
        let answer = self.connection.api()?.post(&path, &json!({})).await?;
        match self.connection.output {
            Output::Json => print_json(&answer),
            Output::Text => print(&format!("{} follows the repository again\n", self.environment)),
        }
    }
}

/// `release-manager restart`
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Restart {
    /// The environment.
    environment: String,

    /// The service.
    service: String,

    /// Do not ask.
    #[arg(long, short)]
    yes: bool,

    #[command(flatten)]
    following: Following,

    #[command(flatten)]
    connection: Connection,
}

impl Restart {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let api = self.connection.api()?;
        confirm(self.yes, &format!("Restart {} in {}?", self.service, self.environment))?;
        let path = format!("api/restart/{}/{}", self.environment, self.service);
        let accepted = api.post(&path, &json!({})).await?;
        self.following.after(&api, &accepted, self.connection.output).await
    }
}

/// `release-manager wait`
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Wait {
    /// The deployment.
    id: i64,

    #[command(flatten)]
    connection: Connection,
}

impl Wait {
    pub(super) async fn run(self) -> Result<(), Failure> {
        follow(&self.connection.api()?, self.id, self.connection.output).await
    }
}
