-- Who may come in: users, their sessions and browsers, API tokens; and what was done or refused. Times are milliseconds
-- since 1970. Passwords stand here as Argon2id, everything else that opens a door as its SHA-256.

create table users (
    id integer primary key autoincrement,
    name text not null unique check (length(name) between 1 and 64),
    role text not null check (role in ('viewer', 'deployer', 'admin')),
    -- Where the role holds; null for everywhere.
    environments text check (json_type(environments) = 'array'),
    -- A PHC string; null for who comes through a proxy or an identity provider.
    password text,
    -- Issuer and subject at an identity provider, as one text: whoever comes by it is this user, under any name.
    subject text unique,
    password_is_temporary integer not null default 0 check (password_is_temporary in (0, 1)),
    created_at integer not null,
    disabled_at integer,
    last_login_at integer
) strict;

create table sessions (
    id integer primary key autoincrement,
    hash blob not null unique check (length(hash) = 32),
    user integer not null references users (id),
    created_at integer not null,
    last_seen_at integer not null,
    address text not null,
    agent text not null
) strict;

create index sessions_of_user on sessions (user);

-- Browsers in which somebody has logged in: guesses from elsewhere do not slow them down.
create table devices (
    hash blob not null primary key check (length(hash) = 32),
    user integer not null references users (id),
    last_login_at integer not null
) strict, without rowid;

create index devices_of_user on devices (user);

create table tokens (
    id integer primary key autoincrement,
    name text not null check (length(name) between 1 and 64),
    hash blob not null unique check (length(hash) = 32),
    start text not null,
    role text not null check (role in ('viewer', 'deployer', 'admin')),
    environments text check (json_type(environments) = 'array'),
    created_by text not null,
    created_at integer not null,
    expires_at integer,
    last_used_at integer,
    revoked_at integer
) strict;

create unique index one_token_of_a_name on tokens (name) where revoked_at is null;

-- Each line's hash is the SHA-256 of the hash before and of the line.
create table audit (
    id integer primary key autoincrement,
    at integer not null,
    actor text not null check (actor <> ''),
    address text,
    operation text not null check (operation <> ''),
    target text,
    result text not null check (result in ('done', 'refused', 'failed')),
    detail text,
    times integer not null default 1 check (times >= 1),
    hash blob not null check (length(hash) = 32)
) strict;

create index audit_of_actor on audit (actor);

create trigger users_stay before delete on users
begin select raise(abort, 'users are disabled, not deleted: history names them'); end;
create trigger user_names_never_change before update of id, name, created_at on users
begin select raise(abort, 'history names users: a name never changes'); end;

create trigger tokens_stay before delete on tokens
begin select raise(abort, 'tokens are revoked, not deleted: history names them'); end;
create trigger tokens_stay_what_they_were before update of
    id, name, hash, start, role, environments, created_by, created_at, expires_at on tokens
begin select raise(abort, 'a token never changes: revoke it and make another'); end;
create trigger revoked_tokens_stay_revoked before update of revoked_at on tokens when old.revoked_at is not null
begin select raise(abort, 'a token that is revoked stays so'); end;

create trigger audit_stays before delete on audit
begin select raise(abort, 'the audit log is append-only'); end;
create trigger audit_never_changes before update on audit
begin select raise(abort, 'the audit log is append-only'); end;
