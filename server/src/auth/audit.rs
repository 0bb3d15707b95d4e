//! Writing the audit log. What was done gets a line each; what is refused again and again shares one, so that an
//! attacker cannot fill the disk.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use release_manager::access::AuditResult;
use release_manager::ports::Clock;
use tracing::error;

use crate::store::{AuditEntry, Store};

/// Refusals alike within so many milliseconds share a line.
const TOGETHER: i64 = 60_000;
/// So many different refusals are told apart at once; all others share one line.
const TOLD_APART: usize = 200;
/// And so many of one address.
const TOLD_APART_OF_ADDRESS: usize = 20;
/// The longest target or detail, in characters.
const LONGEST: usize = 200;

/// The audit log.
pub struct AuditLog {
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
    refused: Mutex<HashMap<Kind, Repeated>>,
}

/// What makes refusals alike.
type Kind = (String, Option<String>, String, Option<String>, Option<String>);

struct Repeated {
    since: i64,
    /// How many came since the last line.
    more: u32,
    entry: AuditEntry,
}

impl AuditLog {
    /// A log in the store.
    pub fn new(store: Arc<Store>, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock, refused: Mutex::default() }
    }

    /// Adds a line, or counts a refusal that is like one of a moment ago.
    pub async fn note(&self, mut entry: AuditEntry) {
        entry.target = entry.target.map(short);
        entry.detail = entry.detail.map(short);
        let due = if entry.result == AuditResult::Refused { self.fold(entry) } else { Some(entry) };
        if let Some(entry) = due {
            self.write(&entry).await;
        }
    }

    /// Writes what was counted; to be called from time to time, and at the end.
    pub async fn flush(&self, all: bool) {
        let now = self.clock.now().as_millis();
        let due: Vec<AuditEntry> = {
            let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
            let old = |known: &Repeated| all || now - known.since >= TOGETHER;
            let due = refused.values().filter(|known| known.more > 0 && old(known));
            let due = due.map(|known| AuditEntry { times: known.more, ..known.entry.clone() }).collect();
            refused.retain(|_, known| !old(known));
            due
        };
        for entry in due {
            self.write(&entry).await;
        }
    }

    /// The line that has to be written now, if any.
    fn fold(&self, mut entry: AuditEntry) -> Option<AuditEntry> {
        let now = self.clock.now().as_millis();
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let mut kind = kind(&entry);
        if !refused.contains_key(&kind) {
            let of_address = refused.keys().filter(|(_, address, ..)| *address == entry.address).count();
            if refused.len() >= TOLD_APART {
                entry = together(entry, None, "from many addresses, or to many targets");
            } else if of_address >= TOLD_APART_OF_ADDRESS {
                let address = entry.address.clone();
                entry = together(entry, address, "many different requests");
            }
            kind = self::kind(&entry);
        }
        match refused.get_mut(&kind) {
            Some(known) if now - known.since < TOGETHER => {
                known.more += 1;
                None
            }
            Some(known) => {
                let times = known.more + 1;
                (known.since, known.more) = (now, 0);
                Some(AuditEntry { times, ..entry })
            }
            None => {
                refused.insert(kind, Repeated { since: now, more: 0, entry: entry.clone() });
                Some(entry)
            }
        }
    }

    async fn write(&self, entry: &AuditEntry) {
        if let Err(failure) = self.store.add_audit(entry, self.clock.now()).await {
            let (actor, operation) = (&entry.actor, &entry.operation);
            error!(error = %failure, %actor, %operation, result = entry.result.as_str(), "The audit log cannot be written");
        }
    }
}

/// The line that refusals share which are too many to be told apart.
fn together(entry: AuditEntry, address: Option<String>, detail: &str) -> AuditEntry {
    AuditEntry { actor: "nobody".to_owned(), address, target: None, detail: Some(detail.to_owned()), ..entry }
}

fn short(text: String) -> String {
    if text.chars().count() <= LONGEST {
        return text;
    }
    let kept: String = text.chars().take(LONGEST - 1).collect();
    kept + "…"
}

fn kind(entry: &AuditEntry) -> Kind {
    (entry.actor.clone(), entry.address.clone(), entry.operation.clone(), entry.target.clone(), entry.detail.clone())
}
