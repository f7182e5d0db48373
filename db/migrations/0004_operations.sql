-- How late messages and readings are, sums for /metrics, and limits of the quarantine.
-- depends: 0001_core

-- NULL: not measured. "store" is receipt to commit, "sense" is measurement to receipt.
ALTER TABLE ingest_ledger
    ADD COLUMN newest_at   timestamptz,       -- receipt of the newest message of the line
    ADD COLUMN store_n     bigint,            -- messages measured
    ADD COLUMN store_s_sum double precision,
    ADD COLUMN store_s_max double precision,
    ADD COLUMN sense_n     bigint,            -- readings that said when they were measured
    ADD COLUMN sense_s_sum double precision,
    ADD COLUMN sense_s_max double precision;

CREATE INDEX ingest_batch_committed ON ingest_batch (committed_at);

-- Sums of a feed since the installation began, for counters: only ever growing.
CREATE TABLE ingest_total (
    feed        text PRIMARY KEY,
    received    bigint NOT NULL,
    stored      bigint NOT NULL,
    duplicate   bigint NOT NULL,
    rejected    bigint NOT NULL,
    readings_stored bigint NOT NULL,
    newest_at   timestamptz NOT NULL,
    store_n     bigint NOT NULL,
    store_s_sum double precision NOT NULL,
    sense_n     bigint NOT NULL,
    sense_s_sum double precision NOT NULL
);
CREATE TABLE ingest_total_state (
    only_row    boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    until       timestamptz NOT NULL          -- batches committed before are in the sums
);
INSERT INTO ingest_total_state (until) VALUES (now());

-- A name longer than a page of the index takes is nobody's name.
UPDATE reject SET device = left(device, 200) WHERE length(device) > 200;
CREATE INDEX reject_group ON reject (format, device, reason, received_at);

-- What of a format was kept in a minute, and the whole messages that were only counted: the
-- ledger compares the sum of both.
CREATE TABLE reject_minute (
    minute      timestamptz NOT NULL,         -- of receipt
    format      text NOT NULL,
    kept_bytes  bigint NOT NULL DEFAULT 0,
    counted     bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (minute, format)
);

-- Messages and parts of messages that were only counted, by whom and why; device '' stands for
-- all that were beyond the limit of their format.
CREATE TABLE reject_flood (
    hour        timestamptz NOT NULL,         -- of receipt
    format      text NOT NULL,
    device      text NOT NULL,
    reason      text NOT NULL,
    counted     bigint NOT NULL,
    bytes       bigint NOT NULL,
    newest_at   timestamptz NOT NULL,
    PRIMARY KEY (hour, format, device, reason)
);
