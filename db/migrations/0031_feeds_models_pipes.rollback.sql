DROP INDEX event_settings;
CREATE INDEX event_settings ON event (split_part(subject, ':', 1), seq)
    WHERE rows IS NOT NULL AND split_part(subject, ':', 1) IN (
        'user', 'squad', 'category', 'stage_limit', 'division', 'rule', 'calendar', 'log',
        'roster');
DROP TABLE pipe_section;
DROP TABLE device_model;
DROP FUNCTION device_model_row_changed;
DROP TABLE feed_heard;
DROP TRIGGER device_renamed ON device;
DROP FUNCTION device_was_renamed;
DROP TABLE device_feed;
DROP TABLE feed;
DROP FUNCTION feed_row_changed;
DROP TABLE ingest_revision;
DROP FUNCTION ingest_was_changed;
