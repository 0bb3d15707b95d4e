-- What history is filtered by besides environment and service, and what insights are drawn from.
alter table attempts add column kind text generated always as (cause ->> '$.kind') virtual;
alter table attempts add column committed_at text generated always as (release ->> '$.revision.committed_at') virtual;

create index attempts_by_cause on attempts (kind, started_at);
-- Holds everything that insights ask for, so that no release is read for them.
create index attempts_by_time on attempts (started_at, environment, status, ended_at, kind, committed_at);

create index history_by_time on history (started_at);
create index history_by_status on history (status, started_at);
create index history_by_actor on history (actor, started_at);
