-- The newest revision that wants no other release than the one that a deployment has brought: only its name is noted.
create table noted_revisions (
    attempt integer primary key references attempts (id),
    revision text not null check (json_valid(revision))
) strict;
