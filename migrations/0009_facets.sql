-- Any filter of history finds its rows in the order of time by an index, however few there are among many: rows that have
-- environment, status and kind of cause in common are one facet, and there are few facets.
drop trigger verdicts_never_change;
drop trigger history_stays_what_it_was;

alter table history add column kind text;
update history set kind = (select attempts.kind from attempts where attempts.id = history.attempt);
alter table history add column facet text
    generated always as (environment || ' ' || status || ' ' || coalesce(kind, '')) virtual;

create trigger verdicts_never_change before update on history when old.status <> 'in_progress'
begin select raise(abort, 'history is append-only: the service has its verdict'); end;
create trigger history_stays_what_it_was before update of
    id, attempt, environment, service, nth, nth_in_environment, nth_of_service, nth_of_both, version, version_before,
    commit_sha, actor, started_at, image, kind on history
begin select raise(abort, 'what was accepted never changes'); end;

drop index history_by_status;
drop index history_by_actor;
create index history_by_facet on history (facet, started_at);
create index history_by_actor on history (actor, facet, started_at);
-- Holds the actor, so that a service's rows are not read for those of one person.
create index history_by_service on history (service, facet, started_at, actor);
