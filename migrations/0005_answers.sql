-- Answers to orders that carried an Idempotency-Key, kept for a day: who sends the same again gets the same answer, and
-- nothing is done twice. A row without an answer belongs to an order that is under way, or was cut off by a crash.
create table answers (
    -- SHA-256 of who asked and of the key.
    name blob not null primary key check (length(name) = 32),
    -- SHA-256 of method, path and body.
    request blob not null check (length(request) = 32),
    at integer not null,
    status integer check (status between 200 and 299),
    content_type text,
    body blob,
    check ((status is null) = (body is null))
) strict, without rowid;

create index answers_by_age on answers (at);

-- Counts for the metrics come from this index alone.
create index attempts_by_outcome on attempts (environment, status, started_at, ended_at);
