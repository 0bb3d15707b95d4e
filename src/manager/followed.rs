//! What an environment has taken from the source last, and what a machine does not make of a newer revision by itself: a
//! branch that was rewritten waits for a person, and so do variables that have vanished.

use std::collections::BTreeSet;

use super::{Inner, ManagerError};
use crate::pipeline::Environment;
use crate::ports::{Lineage, SourceError};
use crate::revision::Revision;
use crate::stack::Variables;

impl Inner {
    /// The revision that a sync or a retry has brought last, or tried to; a newer one that wanted nothing else counts.
    /// `None` where none ever did.
    pub(super) async fn followed(&self, environment: &Environment) -> Result<Option<Revision>, ManagerError> {
        let ledger = &self.ports.ledger;
        let Some(tried) = ledger.tried(&environment.name).await? else { return Ok(None) };
        let standing = ledger.standing(&environment.name, None).await?;
        let noted = standing.filter(|standing| standing.success >= Some(tried.id)).and_then(|standing| standing.noted);
        if noted.is_some() {
            return Ok(noted);
        }
        Ok(ledger.release_of(tried.id).await?.and_then(|(release, _)| release.revision))
    }

    /// Refuses a head to which the revision that was followed does not lead, unless the environment allows it.
    pub(super) async fn may_follow(
        &self,
        environment: &Environment,
        followed: &Revision,
        head: &Revision,
    ) -> Result<(), ManagerError> {
        if environment.allow_rewind {
            return Ok(());
        }
        match self.ports.source.lineage(&followed.sha, &head.sha).await? {
            Lineage::Ahead => Ok(()),
            lineage => Err(ManagerError::Rewritten { followed: followed.sha.clone(), lineage }),
        }
    }

    /// Refuses an env file that has lost what the one before it had. A default that takes over in silence would bring
    /// something that nobody has written.
    pub(super) async fn keeps_variables(
        &self,
        environment: &Environment,
        followed: &Revision,
        head: &Revision,
    ) -> Result<(), ManagerError> {
        let reader = self.reader();
        let before = match reader.env_file(environment, &followed.sha).await {
            Ok(before) => before,
            // It was never there, or nobody has it any more: there is nothing to compare with.
            Err(error) if is_gone(&error) => return Ok(()),
            Err(error) => return Err(error),
        };
        let after = reader.env_file(environment, &head.sha).await?;
        if before.keys().all(|name| after.contains_key(name)) {
            return Ok(());
        }
        let in_stack = reader.named_variables(environment, &head.sha).await?;
        let names = vanished(&before, &after, &in_stack);
        if names.is_empty() {
            return Ok(());
        }
        Err(ManagerError::Vanished { names, env_file: environment.env_file.clone() })
    }
}

fn is_gone(error: &ManagerError) -> bool {
    match error {
        ManagerError::Invalid(_) => true,
        ManagerError::Source(error) => !matches!(
            error,
            SourceError::Unreachable { .. } | SourceError::RateLimited { .. } | SourceError::Unauthorised { .. }
        ),
        _ => false,
    }
}

/// The variables whose loss waits for a person: those that the stack files still name, and all of them where so many are
/// gone (two or more, and more than three of ten) that the file may have been cut short.
fn vanished(before: &Variables, after: &Variables, named: &BTreeSet<String>) -> Vec<String> {
    let lost: Vec<&String> = before.keys().filter(|name| !after.contains_key(*name)).collect();
    let many = lost.len() >= 2 && lost.len() * 10 > before.len() * 3;
    lost.into_iter().filter(|name| many || named.contains(*name)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(before: &str, after: &str, named: &str, expected: &str) {
        let variables = |names: &str| names.split_whitespace().map(|name| (name.to_owned(), "1".to_owned())).collect();
        let named = named.split_whitespace().map(str::to_owned).collect();
        assert_eq!(vanished(&variables(before), &variables(after), &named).join(" "), expected);
    }

    #[test]
    fn a_variable_that_the_stack_still_names_is_missed() {
        check("A B C D", "A B C", "A B C D", "D");
        check("A B C D", "A B C", "A B C", "");
        check("A B", "A B C", "A B C", "");
    }

    #[test]
    fn many_variables_that_vanish_at_once_are_missed_whether_or_not_they_are_named() {
        check("A B C D E F G", "A B C D E F", "", "");
        check("A B C D E F G", "A B C D", "", "E F G");
        check("A B", "B", "", "");
    }
}
