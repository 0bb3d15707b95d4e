//! What every ledger promises about what must be known before a deployment is started, and about holds.

use release_manager::deployment::{Cause, Outcome, Verdict};
use release_manager::hold::Hold;
use release_manager::names::{Actor, DeploymentId, EnvironmentName};
use release_manager::ports::{JournalEntry, Ledger, LedgerError, NewDeployment, Standing};

use super::samples::{
    crashed, deploy, deployment, environment, outcomes, release, revision, second, service, succeeded,
};

/// Begins and ends a deployment with these verdicts.
async fn ended(ledger: &dyn Ledger, new: &NewDeployment, verdicts: &[(&str, &str, Verdict)]) -> DeploymentId {
    let id = ledger.begin(new).await.unwrap();
    ledger.finish(id, &outcomes(verdicts), second(1)).await.unwrap();
    id
}

/// `web 2@1`: the version, and the deployment that tells of it.
fn told(standing: Option<Standing>) -> (Vec<String>, Option<i64>) {
    let Some(standing) = standing else { return (vec!["nothing".to_owned()], None) };
    let services = standing.services.iter().map(|(name, stood)| {
        let by = stood.told_by.map_or_else(|| "adoption".to_owned(), |id| id.to_string());
        format!("{name} {}@{by}", stood.version.version)
    });
    (services.collect(), standing.success.map(|id| id.0))
}

pub(super) async fn what_was_accepted_can_be_read_when_it_is_over(ledger: &dyn Ledger) {
    let new = deployment("prod", 'a', "web=1");
    let id = ledger.begin(&new).await.unwrap();
    let entries = [
        JournalEntry::Noted { message: "db was not touched".to_owned() },
        JournalEntry::CancelRequested { by: Actor::Person("ada".to_owned()), go_back: true },
        JournalEntry::GoingBack { by: Actor::System },
    ];
    for entry in &entries {
        ledger.journal(id, entry, second(1)).await.unwrap();
    }
    ledger.finish(id, &outcomes(&[("web", "1", succeeded())]), second(2)).await.unwrap();
    let record = ledger.recorded(id).await.unwrap().unwrap();
    assert_eq!((record.id, record.new, record.journal), (id, new, entries.to_vec()));
    assert_eq!(ledger.deployment(id).await.unwrap().unwrap().notes, ["db was not touched"]);
    assert_eq!(ledger.recorded(DeploymentId(99)).await.unwrap(), None);
}

pub(super) async fn a_revision_that_changes_nothing_is_noted(ledger: &dyn Ledger) {
    let prod = environment("prod");
    let noted = async || ledger.standing(&prod, None).await.unwrap().unwrap().noted;
    let first = DeploymentId(deploy(ledger, &deployment("prod", 'a', "web=1"), second(1)).await);
    assert_eq!(noted().await, None);
    for digit in ['b', 'c', 'c'] {
        ledger.note_revision(first, &revision(digit)).await.unwrap();
        assert_eq!(noted().await, Some(revision(digit)));
    }
    assert!(ledger.note_revision(DeploymentId(99), &revision('c')).await.is_err(), "nobody knows that deployment");
    ended(ledger, &deployment("prod", 'd', "web=2"), &[("web", "2", crashed())]).await;
    assert_eq!(noted().await, Some(revision('c')), "it belongs to the newest success");
    deploy(ledger, &deployment("prod", 'e', "web=3"), second(3)).await;
    assert_eq!(noted().await, None, "and to that alone");
}

pub(super) async fn what_success_has_proved_is_told_service_by_service(ledger: &dyn Ledger) {
    let prod = environment("prod");
    assert_eq!(ledger.standing(&prod, None).await.unwrap(), None);
    ledger.adopt(&prod, &release(None, "web=0 old=0"), second(0)).await.unwrap();
    assert_eq!(
        told(ledger.standing(&prod, None).await.unwrap()),
        (vec!["old 0@adoption".into(), "web 0@adoption".into()], None)
    );
    let first = deploy(ledger, &deployment("prod", 'a', "web=1 db=1 | -old=0"), second(1)).await;
    let second_try = deployment("prod", 'b', "web=2 db=2");
    let failed = ended(ledger, &second_try, &[("web", "2", succeeded()), ("db", "2", crashed())]).await;
    let expected = (vec![format!("db 1@{first}"), format!("web 2@{failed}")], Some(first));
    assert_eq!(told(ledger.standing(&prod, None).await.unwrap()), expected);
    let before = ledger.standing(&prod, Some(failed)).await.unwrap();
    assert_eq!(told(before), (vec![format!("db 1@{first}"), format!("web 1@{first}")], Some(first)));
    let nothing_yet = ledger.standing(&prod, Some(DeploymentId(first))).await.unwrap();
    assert_eq!(told(nothing_yet).0, ["old 0@adoption", "web 0@adoption"]);
    let third = ledger.begin(&deployment("prod", 'c', "web=3 | db=2")).await.unwrap();
    assert_eq!(told(ledger.standing(&prod, None).await.unwrap()), expected, "what is not over tells nothing");
    ledger.finish(third, &outcomes(&[("web", "3", succeeded())]), second(5)).await.unwrap();
    let expected = (vec![format!("db 1@{first}"), format!("web 3@{third}")], Some(third.0));
    assert_eq!(told(ledger.standing(&prod, None).await.unwrap()), expected, "it left db unproved");
    let fourth = deploy(ledger, &deployment("prod", 'd', "db=2 | web=3"), second(6)).await;
    let expected = (vec![format!("db 2@{fourth}"), format!("web 3@{fourth}")], Some(fourth));
    assert_eq!(told(ledger.standing(&prod, None).await.unwrap()), expected, "it left web as it was proved");
}

pub(super) async fn the_newest_try_from_the_source_is_known(ledger: &dyn Ledger) {
    let prod = environment("prod");
    assert_eq!(ledger.tried(&prod).await.unwrap(), None);
    let with = |cause, digit, services| NewDeployment { cause, ..deployment("prod", digit, services) };
    let tried = async || {
        let tried = ledger.tried(&prod).await.unwrap().unwrap();
        (tried.id.0, tried.content_hash, tried.status.as_str(), tried.moved)
    };
    let promotion = Cause::Promotion { from: environment("preprod") };
    deploy(ledger, &with(promotion, 'f', "web=0"), second(0)).await;
    assert_eq!(ledger.tried(&prod).await.unwrap(), None, "a promotion does not come from the source");
    let first = deploy(ledger, &deployment("prod", 'a', "web=1"), second(1)).await;
    assert_eq!(tried().await, (first, "content of a".to_owned(), "success", false));
    deploy(ledger, &with(Cause::Restart { service: service("web") }, 'e', "web=1"), second(2)).await;
    assert_eq!(tried().await, (first, "content of a".to_owned(), "success", false), "a restart moves nothing");
    deploy(ledger, &with(Cause::Rollback { to: DeploymentId(1) }, 'f', "web=0"), second(3)).await;
    assert_eq!(tried().await, (first, "content of a".to_owned(), "success", true));
    let of = DeploymentId(first);
    let retry = ended(ledger, &with(Cause::Retry { of }, 'b', "web=2"), &[("web", "2", crashed())]).await;
    assert_eq!(tried().await, (retry.0, "content of b".to_owned(), "failed", false));
    deploy(ledger, &with(Cause::Return { from: retry }, 'f', "web=0"), second(3)).await;
    assert_eq!(tried().await, (retry.0, "content of b".to_owned(), "failed", true));
}

pub(super) async fn what_was_written_without_success_is_unproved(ledger: &dyn Ledger) {
    let prod = environment("prod");
    let unproved = async || {
        let unproved = ledger.unproved(&prod).await.unwrap();
        unproved.into_iter().map(|(name, known)| format!("{name}@{}", known.deployment)).collect::<Vec<_>>()
    };
    let rolled_back = || Verdict::RolledBack { message: "it crashed".to_owned() };
    let verdicts = [
        ("a-crashed", "1", crashed()),
        ("b-back", "1", rolled_back()),
        ("c-fine", "1", succeeded()),
        ("d-stopped", "1", Verdict::Cancelled { written: true }),
        ("e-never", "1", Verdict::Cancelled { written: false }),
        ("f-gone", "1", Verdict::Removed),
    ];
    let services = "a-crashed=1 b-back=1 c-fine=1 d-stopped=1 e-never=1 f-gone=1";
    let first = ended(ledger, &deployment("prod", 'a', services), &verdicts).await;
    assert_eq!(
        unproved().await,
        [format!("a-crashed@{first}"), format!("d-stopped@{first}"), format!("f-gone@{first}")]
    );
    let refused = ledger.begin(&deployment("prod", 'b', "c-fine=2")).await.unwrap();
    ledger.finish(refused, &Outcome::refused("no network".to_owned()), second(2)).await.unwrap();
    deploy(ledger, &deployment("prod", 'c', "a-crashed=1"), second(3)).await;
    assert_eq!(unproved().await, [format!("d-stopped@{first}"), format!("f-gone@{first}")]);
    let running = ledger.begin(&deployment("prod", 'd', "d-stopped=2")).await.unwrap();
    assert_eq!(unproved().await, [format!("d-stopped@{first}"), format!("f-gone@{first}")]);
    ledger.finish(running, &outcomes(&[("d-stopped", "2", succeeded())]), second(4)).await.unwrap();
    assert_eq!(unproved().await, [format!("f-gone@{first}")]);
}

pub(super) async fn a_hold_keeps_out_what_is_new_and_nothing_else(ledger: &dyn Ledger) {
    let reason = "moving house".parse().unwrap();
    let hold = Hold { by: Actor::Person("ada".to_owned()), since: second(1), reason, newer_than: None };
    ledger.hold(&environment("prod"), &hold).await.unwrap();
    let of = |cause: Cause| NewDeployment { cause, ..deployment("prod", 'a', "web=1") };
    let from = environment("preprod");
    for new in [Cause::Sync, Cause::Promotion { from }, Cause::Retry { of: DeploymentId(1) }] {
        let refused = ledger.begin(&of(new)).await;
        assert!(matches!(&refused, Err(LedgerError::Held(_, known)) if **known == hold), "{refused:?}");
    }
    for other in [Cause::Rollback { to: DeploymentId(1) }, Cause::Return { from: DeploymentId(1) }] {
        ended(ledger, &of(other), &[("web", "1", succeeded())]).await;
    }
    deploy(ledger, &deployment("preprod", 'b', "web=1"), second(2)).await;
    ledger.resume(&environment("prod"), &Actor::System, second(3)).await.unwrap();
    deploy(ledger, &of(Cause::Sync), second(4)).await;
}

pub(super) async fn a_hold_lasts_until_it_is_ended_and_one_replaces_the_other(ledger: &dyn Ledger) {
    let ada = || Actor::Person("ada".to_owned());
    let hold = |reason: &str, newer_than: Option<char>| Hold {
        by: ada(),
        since: second(1),
        reason: reason.parse().unwrap(),
        newer_than: newer_than.map(|digit| digit.to_string().repeat(40).parse().unwrap()),
    };
    assert!(ledger.holds().await.unwrap().is_empty());
    assert!(!ledger.resume(&environment("prod"), &ada(), second(2)).await.unwrap());
    ledger.hold(&environment("prod"), &hold("moving house", None)).await.unwrap();
    ledger.hold(&environment("preprod"), &hold("rolled back to deployment 1", Some('a'))).await.unwrap();
    ledger.hold(&environment("prod"), &hold("still moving", None)).await.unwrap();
    let expected = [
        (environment("preprod"), hold("rolled back to deployment 1", Some('a'))),
        (environment("prod"), hold("still moving", None)),
    ];
    assert_eq!(ledger.holds().await.unwrap(), expected.into());
    // Also by a clock that was set back.
    assert!(ledger.resume(&environment("prod"), &Actor::System, second(0)).await.unwrap());
    assert_eq!(ledger.holds().await.unwrap().keys().map(EnvironmentName::as_str).collect::<Vec<_>>(), ["preprod"]);
    assert!(!ledger.resume(&environment("prod"), &ada(), second(4)).await.unwrap());
}
