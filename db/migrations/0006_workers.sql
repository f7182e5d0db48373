-- Ingest workers that are alive, and messages without a time of their own that were seen.
-- depends: 0001_core

CREATE TABLE ingest_worker (
    name        text PRIMARY KEY,             -- stable over restarts: the broker keeps a session by it
    started_at  timestamptz NOT NULL,
    seen_at     timestamptz NOT NULL,
    filters     text[] NOT NULL,              -- what its sessions subscribe to, with the share
    adopted_by  text,                         -- the worker that empties the sessions of a dead one
    adopted_at  timestamptz
);

-- A message that says when it was measured is known by its rows. One that does not gets the time of
-- receipt, so a redelivery would be a new reading: it is known by what it says.
CREATE TABLE message_seen (
    key         bigint PRIMARY KEY,
    again       boolean NOT NULL,             -- stored from a copy that the broker had sent before
    received_at timestamptz NOT NULL
);
CREATE INDEX message_seen_received ON message_seen (received_at);
