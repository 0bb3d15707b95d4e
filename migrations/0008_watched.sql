-- What is watched besides deployments.

-- What came after a success that did not last. Beside history, which is never rewritten.
create table aftermath (
    id integer primary key autoincrement,
    attempt integer not null,
    service text not null,
    at integer not null,
    what text not null check (json_valid(what)),
    unique (attempt, service),
    foreign key (attempt, service) references history (attempt, service)
) strict;

create trigger aftermath_stays before delete on aftermath
begin select raise(abort, 'what came after a success is append-only'); end;
create trigger aftermath_never_changes before update on aftermath
begin select raise(abort, 'what came after a success is append-only'); end;
create trigger aftermath_follows_success before insert on aftermath
when not exists (
    select 1 from history
    where history.attempt = new.attempt and history.service = new.service and history.status = 'success'
)
begin select raise(abort, 'only what has succeeded has an aftermath'); end;

-- How each version that runs has stood so far: counters, so that a service that crashes for ever fills no disk.
create table soak (
    environment text not null,
    service text not null,
    record text not null check (json_valid(record)),
    primary key (environment, service)
) strict, without rowid;

-- The name of this database, by which leases know it. A copy has the same one.
create table instance (
    id integer primary key check (id = 1),
    name text not null check (length(name) = 32)
) strict;

insert into instance (id, name) values (1, lower(hex(randomblob(16))));

create trigger instance_stays before delete on instance
begin select raise(abort, 'a database keeps its name'); end;
create trigger instance_never_changes before update on instance
begin select raise(abort, 'a database keeps its name'); end;
