-- One inbox at the broker under a lease, storing workers behind it; sessions of shared
-- subscriptions that earlier versions made are emptied once and ended.
-- depends: 0009_sparkplug_heard

CREATE TABLE inbox_lease (
    session     text PRIMARY KEY,             -- what the broker knows the sessions by
    holder      text NOT NULL,                -- the process that may connect, unlike any other ever
    process     text NOT NULL,                -- its name, for people
    backend_pid integer NOT NULL,             -- its connection to this database ...
    backend_at  timestamptz NOT NULL,         -- ... and since when: gone means that it is dead
    held_since  timestamptz NOT NULL,
    seen_at     timestamptz NOT NULL,
    released    boolean NOT NULL DEFAULT false,
    filters     text[] NOT NULL DEFAULT '{}'  -- what its sessions are subscribed to
);

CREATE TABLE left_session (
    client_id   text PRIMARY KEY,
    filters     text[] NOT NULL               -- what it is still subscribed to
);

INSERT INTO left_session (client_id, filters)
SELECT 'gridwarden-ingest-' || name || suffix, filters
FROM ingest_worker CROSS JOIN (VALUES (''), ('-gas')) AS lane (suffix);

DROP TABLE ingest_worker;
CREATE TABLE ingest_worker (
    name        text PRIMARY KEY,             -- as in ingest_batch.worker
    process     text NOT NULL,                -- of which it is a part
    started_at  timestamptz NOT NULL,
    seen_at     timestamptz NOT NULL
);
