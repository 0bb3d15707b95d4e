-- Environments to which nothing new is brought. A hold that has ended stays as a record of who held what, and why.
create table holds (
    id integer primary key autoincrement,
    environment text not null check (length(environment) between 1 and 32),
    held_by text not null check (held_by <> ''),
    reason text not null check (reason <> ''),
    held_at integer not null,
    -- The hold ends by itself with the first revision that is not this one; null: only a person ends it.
    newer_than text,
    resumed_by text check (resumed_by <> ''),
    resumed_at integer check (resumed_at >= held_at),
    check ((resumed_by is null) = (resumed_at is null))
) strict;

create unique index one_hold_per_environment on holds (environment) where resumed_at is null;

create trigger holds_stay before delete on holds
begin select raise(abort, 'holds are append-only'); end;
create trigger ended_holds_never_change before update on holds when old.resumed_at is not null
begin select raise(abort, 'holds are append-only: this one has ended'); end;
create trigger holds_stay_what_they_were before update of
    id, environment, held_by, reason, held_at, newer_than on holds
begin select raise(abort, 'what was held never changes'); end;

-- The newest deployment that came from the source is asked for at every new revision.
create index attempts_from_source on attempts (environment) where cause ->> '$.kind' in ('sync', 'retry');
