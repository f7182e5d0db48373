-- The books begin at the broker: numbers that senders give their messages, and the broker's own
-- counters.
-- depends: 0009_sparkplug_heard

-- Numbers of the messages of one batch, until they are followed (seconds later); packed as
-- db.sequences.pack says.
CREATE TABLE sequence_batch (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    stored_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    numbers     bytea NOT NULL,
    names       text[]                        -- of sources that are no devices
);
ALTER TABLE sequence_batch ALTER numbers SET STORAGE EXTERNAL;

-- How far each source has counted. Thousands of sources share a row, so that following 20,000
-- devices writes a handful of rows; `summary` is what people want to know of them.
CREATE TABLE sequence_state (
    chunk       int PRIMARY KEY,
    sources     bytea NOT NULL,
    summary     jsonb NOT NULL
);
ALTER TABLE sequence_state ALTER sources SET STORAGE EXTERNAL;

-- A source is a device (its id), or by a negative number what is named here.
CREATE TABLE sequence_name (
    source      bigint PRIMARY KEY,
    name        text NOT NULL
);

-- Numbers that never came. One that comes late is taken out again.
CREATE TABLE sequence_gap (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source      bigint NOT NULL,
    feed        text NOT NULL,
    epoch       int NOT NULL,                 -- how often the source had begun anew
    first       bigint NOT NULL,
    last        bigint NOT NULL CHECK (last >= first),
    after_at    timestamptz NOT NULL,         -- of the message before, by our clock
    before_at   timestamptz NOT NULL,         -- of the message behind
    usual       boolean NOT NULL,             -- of a way that loses now and then: radio
    found_at    timestamptz NOT NULL
);
CREATE INDEX sequence_gap_source ON sequence_gap (source);
CREATE INDEX sequence_gap_before ON sequence_gap (before_at);

-- Sums since the installation began, for counters: only ever growing.
CREATE TABLE sequence_total (
    feed        text PRIMARY KEY,
    followed    bigint NOT NULL,
    missing     bigint NOT NULL,
    late        bigint NOT NULL,              -- of these, what came after all
    restarts    bigint NOT NULL
);

-- What the broker told of itself: a row a minute of each of its lives.
CREATE TABLE broker_count (
    started_at  timestamptz NOT NULL,         -- of the broker, to within some seconds
    minute      timestamptz NOT NULL,
    looked_at   timestamptz NOT NULL,
    version     text NOT NULL,                -- '': it tells nothing
    uptime_s    bigint NOT NULL,
    received    bigint NOT NULL,              -- publishes, of all clients, in this life
    dropped     bigint NOT NULL,              -- for any client, in this life
    dropped_new bigint NOT NULL,              -- since the row before
    since_at    timestamptz NOT NULL,         -- and when that row was looked at
    is_restart  boolean NOT NULL,             -- the first row of a life behind another one
    PRIMARY KEY (started_at, minute)
);
CREATE INDEX broker_count_looked ON broker_count (looked_at);
