-- Community edition: continuous aggregates, current to the last reading, and compressed chunks.

CREATE MATERIALIZED VIEW IF NOT EXISTS reading_1m
WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
SELECT time_bucket('1 minute', ts) AS bucket, device_id, metric_id,
       min(value) AS min, max(value) AS max, avg(value) AS avg, count(*) AS n
FROM reading
GROUP BY 1, 2, 3
WITH NO DATA;

CREATE MATERIALIZED VIEW IF NOT EXISTS reading_1h
WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
SELECT time_bucket('1 hour', bucket) AS bucket, device_id, metric_id,
       min(min) AS min, max(max) AS max, sum(avg * n) / sum(n) AS avg, sum(n)::bigint AS n
FROM reading_1m
GROUP BY 1, 2, 3
WITH NO DATA;

ALTER TABLE reading SET (
    timescaledb.compress,
    timescaledb.compress_segmentby = 'device_id, metric_id',
    timescaledb.compress_orderby = 'ts'
);
