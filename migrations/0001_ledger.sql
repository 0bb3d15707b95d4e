-- The ledger: what was deployed where, by whom, with which outcome. Times are milliseconds since 1970 in the tables, and
-- RFC 3339 in the views. An attempt is one deployment; the name `deployments` stands for what runs.

-- Rendered stacks, by the SHA-256 of their text: the same one is often deployed again.
create table stacks (
    id integer primary key autoincrement,
    hash blob not null unique check (length(hash) = 32),
    content text not null check (json_valid(content))
) strict;

create table attempts (
    id integer primary key autoincrement,
    environment text not null check (length(environment) between 1 and 32),
    status text not null default 'in_progress'
        check (status in ('in_progress', 'success', 'failed', 'rolled_back', 'cancelled')),
    actor text not null check (actor <> ''),
    cause text not null check (json_valid(cause)),
    commit_sha text,
    content_hash text not null,
    started_at integer not null,
    ended_at integer check (ended_at >= started_at),
    error_message text,
    stack blob not null references stacks (hash),
    release text not null check (json_valid(release)),
    plan text not null check (json_valid(plan)),
    check ((status = 'in_progress') = (ended_at is null))
) strict;

create unique index one_unfinished_attempt_per_environment on attempts (environment) where status = 'in_progress';
create index attempts_of_environment on attempts (environment);
create index successful_attempts on attempts (environment) where status = 'success';

-- What has been done of an attempt, before (intent) and after (done) each write.
create table journal (
    id integer primary key autoincrement,
    attempt integer not null references attempts (id),
    at integer not null,
    entry text not null check (json_valid(entry))
) strict;

create index journal_of_attempt on journal (attempt);

-- Every service that an environment ever had.
create table services (
    environment text not null,
    service text not null,
    primary key (environment, service)
) strict, without rowid;

-- What each attempt did to each service. Nothing is ever deleted, so the `nth` columns count without gaps: they are
-- totals and page numbers at once, for every filter.
create table history (
    id integer primary key autoincrement,
    attempt integer not null references attempts (id),
    environment text not null,
    service text not null,
    nth integer not null,
    nth_in_environment integer not null,
    nth_of_service integer not null,
    nth_of_both integer not null,
    version text not null check (version <> ''),
    version_before text,
    commit_sha text,
    actor text not null,
    status text not null default 'in_progress'
        check (status in ('in_progress', 'success', 'failed', 'rolled_back', 'cancelled')),
    started_at integer not null,
    completed_at integer check (completed_at >= started_at),
    -- The image that the service got; null where it was taken out.
    image text,
    error_message text,
    verdict text check (json_valid(verdict)),
    evidence text check (json_valid(evidence)),
    foreign key (environment, service) references services (environment, service),
    unique (attempt, service),
    check ((status = 'in_progress') = (completed_at is null)),
    check ((verdict is null) = (evidence is null)),
    check (status <> 'in_progress' or verdict is null),
    check (status <> 'success' or verdict is not null)
) strict;

create unique index history_nth on history (nth);
create unique index history_nth_in_environment on history (environment, nth_in_environment);
create unique index history_nth_of_service on history (service, nth_of_service);
create unique index history_nth_of_both on history (environment, service, nth_of_both);
create index successful_history on history (environment, service) where status = 'success';

-- What was running before the first deployment.
create table adoptions (
    id integer primary key autoincrement,
    environment text not null,
    service text not null,
    version text not null,
    image text not null,
    adopted_at integer not null,
    foreign key (environment, service) references services (environment, service),
    unique (environment, service)
) strict;

-- The chain over closed attempts: SHA-256 of the seal before and of everything that is known of the attempt.
create table seals (
    position integer primary key autoincrement,
    attempt integer not null unique references attempts (id),
    hash blob not null check (length(hash) = 32)
) strict;

-- The newest revision that was seen.
create table source_head (
    id integer primary key check (id = 1),
    revision text not null check (json_valid(revision))
) strict;

create table service_health (
    id integer primary key autoincrement,
    environment text not null,
    service_name text not null,
    status text not null check (status in ('healthy', 'unhealthy', 'progressing', 'unknown')),
    replicas_running integer not null,
    replicas_desired integer not null,
    last_checked text not null,
    error_message text,
    unique (environment, service_name)
) strict;

create index service_health_status on service_health (status);

-- What runs, derived from success or adoption alone.
create view running_services as
select
    history.environment,
    history.service,
    history.id as history,
    null as adoption,
    history.version,
    history.image,
    history.commit_sha,
    history.actor,
    history.completed_at as since
from services
join history on history.id = (
    select newest.id
    from history as newest
    where newest.environment = services.environment
        and newest.service = services.service
        and newest.status = 'success'
        -- Not before the whole deployment is over: versions and revision then change at the same moment.
        and exists (select 1 from attempts where attempts.id = newest.attempt and attempts.status <> 'in_progress')
    order by newest.id desc
    limit 1
)
where history.verdict ->> '$.verdict' <> 'pruned'
union all
select
    adoptions.environment,
    adoptions.service,
    null,
    adoptions.id,
    adoptions.version,
    adoptions.image,
    null,
    'system',
    adoptions.adopted_at
from adoptions
where not exists (
    select 1
    from history
    where history.environment = adoptions.environment
        and history.service = adoptions.service
        and history.status = 'success'
);

-- For people with a SQL shell. An id below zero is that of an adoption.
create view deployments as
select
    coalesce(history, -adoption) as id,
    environment,
    service as service_name,
    version,
    commit_sha,
    strftime('%Y-%m-%dT%H:%M:%fZ', since / 1000.0, 'unixepoch') as deployed_at,
    actor as deployed_by
from running_services;

create view deployment_history as
select
    id,
    environment,
    service as service_name,
    version,
    commit_sha,
    status,
    actor as deployed_by,
    error_message,
    strftime('%Y-%m-%dT%H:%M:%fZ', started_at / 1000.0, 'unixepoch') as started_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', completed_at / 1000.0, 'unixepoch') as completed_at,
    (completed_at - started_at) / 1000.0 as duration_seconds
from history;

create trigger stacks_stay before delete on stacks
begin select raise(abort, 'rendered stacks are kept for rollbacks'); end;
create trigger stacks_never_change before update on stacks
begin select raise(abort, 'rendered stacks never change'); end;

create trigger attempts_stay before delete on attempts
begin select raise(abort, 'history is append-only'); end;
create trigger closed_attempts_never_change before update on attempts when old.status <> 'in_progress'
begin select raise(abort, 'history is append-only: the deployment is over'); end;
create trigger attempts_stay_what_they_were before update of
    id, environment, actor, cause, commit_sha, content_hash, started_at, stack, release, plan on attempts
begin select raise(abort, 'what was accepted never changes'); end;

create trigger history_stays before delete on history
begin select raise(abort, 'history is append-only'); end;
create trigger verdicts_never_change before update on history when old.status <> 'in_progress'
begin select raise(abort, 'history is append-only: the service has its verdict'); end;
create trigger history_stays_what_it_was before update of
    id, attempt, environment, service, nth, nth_in_environment, nth_of_service, nth_of_both, version, version_before,
    commit_sha, actor, started_at, image on history
begin select raise(abort, 'what was accepted never changes'); end;

create trigger journal_stays before delete on journal
begin select raise(abort, 'the journal is append-only'); end;
create trigger journal_never_changes before update on journal
begin select raise(abort, 'the journal is append-only'); end;
create trigger journal_ends_with_its_attempt before insert on journal
when (select status from attempts where id = new.attempt) <> 'in_progress'
begin select raise(abort, 'the deployment is over'); end;

create trigger adoptions_stay before delete on adoptions
begin select raise(abort, 'adoptions are append-only'); end;
create trigger adoptions_never_change before update on adoptions
begin select raise(abort, 'adoptions are append-only'); end;

create trigger seals_stay before delete on seals
begin select raise(abort, 'seals are append-only'); end;
create trigger seals_never_change before update on seals
begin select raise(abort, 'seals are append-only'); end;
