DROP INDEX event_settings;
CREATE INDEX event_settings ON event (split_part(subject, ':', 1), seq)
    WHERE rows IS NOT NULL AND split_part(subject, ':', 1) IN (
        'user', 'squad', 'category', 'stage_limit', 'division', 'rule', 'calendar', 'log',
        'roster', 'feed');
DROP TABLE video_snapshot;
DROP TABLE video_claim;
DROP INDEX video_event_kind;
DROP INDEX video_event_held;
DROP INDEX video_event_review;
DROP INDEX video_event_look;
UPDATE video_event SET review = 'dismissed' WHERE review = 'merged';
ALTER TABLE video_event
    DROP CONSTRAINT video_event_review_check,
    DROP merged_into,
    DROP dismiss_reason,
    DROP look_at,
    DROP priority,
    DROP held_area,
    DROP held_why,
    DROP standing,
    ADD CONSTRAINT video_event_review_check
        CHECK (review IN ('pending', 'confirmed', 'dismissed'));
DROP TABLE video_limit;
DROP FUNCTION video_limit_row_changed;
DROP TABLE area;
DROP FUNCTION area_row_changed;
