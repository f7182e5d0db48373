-- Apache edition: the roll-ups are tables that `db.rollups.refresh` maintains. A view over each
-- adds what is newer than the roll-up from the readings themselves, so that a chart is current.

CREATE TABLE IF NOT EXISTS reading_1m_stored (
    bucket      timestamptz NOT NULL,
    device_id   int NOT NULL,
    metric_id   smallint NOT NULL,
    min         double precision NOT NULL,
    max         double precision NOT NULL,
    avg         double precision NOT NULL,
    n           bigint NOT NULL,
    PRIMARY KEY (device_id, metric_id, bucket)
);
CREATE TABLE IF NOT EXISTS reading_1h_stored (LIKE reading_1m_stored INCLUDING ALL);

SELECT create_hypertable('reading_1m_stored', 'bucket', chunk_time_interval => interval '7 days',
                         create_default_indexes => false, if_not_exists => true);
SELECT create_hypertable('reading_1h_stored', 'bucket', chunk_time_interval => interval '90 days',
                         create_default_indexes => false, if_not_exists => true);
-- Finds the rows of one hour whatever the device: roll-up of the hour, retention.
CREATE INDEX IF NOT EXISTS reading_1m_bucket ON reading_1m_stored (bucket);

-- Everything before `until` is in the stored roll-up, or its minute is in rollup_due.
CREATE TABLE IF NOT EXISTS rollup_state (
    name        text PRIMARY KEY,
    until       timestamptz NOT NULL
);
INSERT INTO rollup_state VALUES ('reading_1m', '-infinity'), ('reading_1h', '-infinity')
ON CONFLICT DO NOTHING;

CREATE OR REPLACE FUNCTION rollup_until(rollup text) RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT until FROM rollup_state WHERE name = rollup $$;

CREATE OR REPLACE VIEW reading_1m AS
SELECT bucket, device_id, metric_id, min, max, avg, n
FROM reading_1m_stored
WHERE bucket < rollup_until('reading_1m')
UNION ALL
SELECT time_bucket('1 minute', ts), device_id, metric_id,
       min(value), max(value), avg(value), count(*)
FROM reading
WHERE ts >= rollup_until('reading_1m')
GROUP BY 1, 2, 3;

CREATE OR REPLACE VIEW reading_1h AS
SELECT bucket, device_id, metric_id, min, max, avg, n
FROM reading_1h_stored
WHERE bucket < rollup_until('reading_1h')
UNION ALL
SELECT time_bucket('1 hour', bucket), device_id, metric_id,
       min(min), max(max), sum(avg * n) / sum(n), sum(n)::bigint
FROM reading_1m
WHERE bucket >= rollup_until('reading_1h')
GROUP BY 1, 2, 3;
