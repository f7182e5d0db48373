-- Run by TimescaleDB's background workers. The roll-ups reach back almost as far as readings are
-- kept (db.rollups.Retention), so that data which arrives late corrects them; only changed
-- ranges are computed again. Beyond that the readings are gone, and a refresh would empty them.

SELECT add_continuous_aggregate_policy('reading_1m', start_offset => interval '399 days',
    end_offset => interval '1 minute', schedule_interval => interval '1 minute',
    if_not_exists => true);
SELECT add_continuous_aggregate_policy('reading_1h', start_offset => interval '398 days',
    end_offset => interval '1 hour', schedule_interval => interval '10 minutes',
    if_not_exists => true);
SELECT add_compression_policy('reading', interval '14 days', if_not_exists => true);
