//! The one table of what can be done and which role it takes. Pages, server functions and the REST API ask it.

use serde::{Deserialize, Serialize};

use super::Role;

/// Something that can be asked or ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// See environments, plans, history and health.
    View,
    /// Change one's own password, see and end one's own sessions.
    OwnAccount,
    /// Read the logs of services.
    ReadLogs,
    /// Ask the source for its newest revision now.
    CheckSource,
    /// Promote a release.
    Promote,
    /// Bring an environment that follows the source to its newest revision now.
    Sync,
    /// Deploy a revision again that did not succeed.
    Retry,
    /// Go back to an earlier release.
    RollBack,
    /// Stop a deployment.
    Cancel,
    /// Restart a service.
    Restart,
    /// Hold an environment, or let it go on.
    Hold,
    /// See and change users and tokens.
    ManageAccess,
    /// Read and export the audit log.
    ReadAudit,
    /// Make and verify backups, change settings, see the program's inside.
    Administer,
}

/// What an operation concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The whole installation.
    Everywhere,
    /// One environment: the role must hold there.
    Environment,
}

/// A line of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// The operation.
    pub operation: Operation,
    /// The role that it takes.
    pub needs: Role,
    /// What it concerns.
    pub place: Place,
    /// Whether it changes anything: changes stand in the audit log.
    pub changes: bool,
    /// What it is, after `to`.
    pub words: &'static str,
}

const fn rule(operation: Operation, needs: Role, place: Place, changes: bool, words: &'static str) -> Rule {
    Rule { operation, needs, place, changes, words }
}

/// Every operation with the role that it takes.
pub const RULES: [Rule; 14] = {
    use Operation as O;
    use Place::{Environment, Everywhere};
    use Role::{Admin, Deployer, Viewer};
    [
        rule(O::View, Viewer, Everywhere, false, "look"),
        rule(O::OwnAccount, Viewer, Everywhere, true, "change one's own account"),
        rule(O::ReadLogs, Deployer, Environment, false, "read logs"),
        rule(O::CheckSource, Deployer, Everywhere, true, "ask the source now"),
        rule(O::Promote, Deployer, Environment, true, "promote a release"),
        rule(O::Sync, Deployer, Environment, true, "sync an environment now"),
        rule(O::Retry, Deployer, Environment, true, "retry a deployment"),
        rule(O::RollBack, Deployer, Environment, true, "roll back"),
        rule(O::Cancel, Deployer, Environment, true, "cancel a deployment"),
        rule(O::Restart, Deployer, Environment, true, "restart a service"),
        rule(O::Hold, Deployer, Environment, true, "hold or resume an environment"),
        rule(O::ManageAccess, Admin, Everywhere, true, "manage users and tokens"),
        rule(O::ReadAudit, Admin, Everywhere, false, "read the audit log"),
        rule(O::Administer, Admin, Everywhere, true, "administer Release Manager"),
    ]
};

impl Operation {
    /// Its line of the table.
    pub fn rule(self) -> &'static Rule {
        // The table is in the order of the enum; a test holds it there.
        &RULES[self as usize]
    }

    /// Its word in the audit log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::OwnAccount => "own_account",
            Self::ReadLogs => "read_logs",
            Self::CheckSource => "check_source",
            Self::Promote => "promote",
            Self::Sync => "sync",
            Self::Retry => "retry",
            Self::RollBack => "roll_back",
            Self::Cancel => "cancel",
            Self::Restart => "restart",
            Self::Hold => "hold",
            Self::ManageAccess => "manage_access",
            Self::ReadAudit => "read_audit",
            Self::Administer => "administer",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_has_its_line() {
        for (index, line) in RULES.iter().enumerate() {
            assert_eq!(line.operation as usize, index);
            assert_eq!(line.operation.rule(), line);
            let word = serde_json::to_value(line.operation).unwrap();
            assert_eq!(word, line.operation.as_str());
        }
    }

    #[test]
    fn a_viewer_changes_nothing_but_the_own_account() {
        let allowed = RULES.iter().filter(|line| line.needs == Role::Viewer && line.changes);
        assert_eq!(allowed.map(|line| line.operation).collect::<Vec<_>>(), [Operation::OwnAccount]);
    }
}
