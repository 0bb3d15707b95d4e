//! The lease over a stack: a config in the Swarm's own store, whose labels say who holds it. Configs are written by
//! compare-and-swap, and every manager agrees on them.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use release_manager::lease::{Holder, Lease, SeenLease};
use release_manager::names::StackName;
use release_manager::ports::SwarmError;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::client::{Client, Question, READ, WRITE, filter, segment};
use super::read;

/// What the names of leases begin with.
const PREFIX: &str = "release-manager.lease.";
/// Names of configs are no longer than that.
const LONGEST_NAME: usize = 64;
/// The label with the stack's name, so that people see whose lease it is.
const STACK: &str = "release-manager.lease";
const EPOCH: &str = "release-manager.lease.epoch";
const HOLDER: &str = "release-manager.lease.holder";
const CHALLENGER: &str = "release-manager.lease.challenger";

/// The lease over a stack, if there is one.
pub(super) async fn read(client: &Client, stack: &StackName) -> Result<Option<SeenLease>, SwarmError> {
    let name = name(stack);
    let answer = client.get("/configs", &[("filters", &filter("name", &[&name]).to_string())]).await?;
    let found = answer.as_array().into_iter().flatten();
    // The Engine's filter matches beginnings of names.
    let Some(config) = found.into_iter().find(|config| read::text(config, "/Spec/Name") == Some(&*name)) else {
        return Ok(None);
    };
    let seen = seen(config).ok_or_else(|| {
        let what = format!("config `{name}` is no lease of Release Manager: remove it with `docker config rm {name}`");
        client.trouble(READ).unreadable(what)
    })?;
    Ok(Some(seen))
}

/// Writes the lease in place of the one that was read.
pub(super) async fn put(
    client: &Client,
    stack: &StackName,
    lease: &Lease,
    before: Option<&SeenLease>,
) -> Result<(), SwarmError> {
    let labels = labels(stack, lease);
    match before {
        None => {
            // A config cannot be empty.
            let data = STANDARD.encode("Who may change a stack: see the labels.\n");
            let spec = json!({"Name": name(stack), "Labels": labels, "Data": data});
            client.answer(WRITE, &Question::post("/configs/create", &spec)).await?;
        }
        Some(before) => {
            let path = format!("/configs/{}/update", segment(&before.id));
            let spec = json!({"Name": name(stack), "Labels": labels});
            let version = before.version.to_string();
            let query = [("version", version.as_str())];
            client.answer(WRITE, &Question::post(&path, &spec).with_query(&query)).await?;
        }
    }
    Ok(())
}

/// The name of the config: that of the stack, or what stands for one that is too long.
fn name(stack: &StackName) -> String {
    let whole = format!("{PREFIX}{stack}");
    if whole.len() <= LONGEST_NAME {
        return whole;
    }
    let digest = Sha256::digest(stack.as_str());
    let digits = format!("{:016x}", digest.iter().take(8).fold(0_u64, |all, byte| all << 8 | u64::from(*byte)));
    let kept: String = stack.as_str().chars().take(LONGEST_NAME - PREFIX.len() - digits.len() - 1).collect();
    format!("{PREFIX}{kept}-{digits}")
}

fn labels(stack: &StackName, lease: &Lease) -> BTreeMap<&'static str, String> {
    let holder = |holder: &Holder| json!(holder).to_string();
    let mut labels =
        BTreeMap::from([(STACK, stack.to_string()), (EPOCH, lease.epoch.to_string()), (HOLDER, holder(&lease.holder))]);
    labels.extend(lease.challenger.as_ref().map(|challenger| (CHALLENGER, holder(challenger))));
    labels
}

fn seen(config: &Value) -> Option<SeenLease> {
    let labels = config.pointer("/Spec/Labels")?;
    let label = |name: &str| labels.get(name).and_then(Value::as_str);
    let holder = |text: &str| serde_json::from_str::<Holder>(text).ok();
    let challenger = match label(CHALLENGER) {
        Some(text) => Some(holder(text)?),
        None => None,
    };
    Some(SeenLease {
        id: read::text(config, "/ID")?.to_owned(),
        version: config.pointer("/Version/Index")?.as_u64()?,
        lease: Lease { holder: holder(label(HOLDER)?)?, epoch: label(EPOCH)?.parse().ok()?, challenger },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(process: &str) -> Holder {
        Holder { database: "d".repeat(32), process: process.to_owned(), place: "process 7 on host nas".to_owned() }
    }

    #[test]
    fn a_lease_is_read_as_it_was_written() {
        let stack = "lab-prod".parse().unwrap();
        for challenger in [None, Some(holder("2"))] {
            let lease = Lease { holder: holder("1"), epoch: 7, challenger };
            let config = json!({"ID": "c", "Version": {"Index": 9}, "Spec": {"Labels": labels(&stack, &lease)}});
            assert_eq!(seen(&config), Some(SeenLease { id: "c".to_owned(), version: 9, lease }));
        }
        assert_eq!(seen(&json!({"ID": "c", "Version": {"Index": 9}, "Spec": {"Labels": {}}})), None);
    }

    #[test]
    fn the_lease_of_every_stack_has_a_name_of_its_own() {
        assert_eq!(name(&"lab-prod".parse().unwrap()), "release-manager.lease.lab-prod");
        let long = |end: &str| name(&format!("{}{end}", "a".repeat(60)).parse().unwrap());
        assert_eq!(long("b").len(), LONGEST_NAME);
        assert_ne!(long("b"), long("c"));
    }
}
