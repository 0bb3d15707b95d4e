-- What people are to be told, until every target has it.
create table notices (
    id integer primary key autoincrement,
    -- The target's name in the configuration.
    target text not null check (target <> ''),
    notice text not null check (json_valid(notice)),
    made_at integer not null,
    -- When it is sent, or tried again.
    due_at integer not null,
    tries integer not null default 0 check (tries >= 0),
    state text not null default 'waiting' check (state in ('waiting', 'sent', 'given_up')),
    error_message text
) strict;

create index notices_waiting on notices (due_at) where state = 'waiting';
create index notices_made on notices (made_at);

-- How far it has been told: the last seal, and the trouble of which people know. What ended before this table was made is
-- no news.
create table notices_told (
    id integer primary key check (id = 1),
    seal integer not null,
    troubles text not null check (json_valid(troubles))
) strict;

insert into notices_told (id, seal, troubles)
values (1, (select coalesce(max(position), 0) from seals), '{"told":[]}');
