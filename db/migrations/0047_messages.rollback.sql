DROP INDEX event_settings;
CREATE INDEX event_settings ON event (split_part(subject, ':', 1), seq)
    WHERE rows IS NOT NULL AND split_part(subject, ':', 1) IN (
        'user', 'squad', 'category', 'stage_limit', 'division', 'rule', 'calendar', 'log',
        'roster', 'feed', 'area', 'video_limit', 'duty_grid', 'model', 'district', 'setting');
DROP TABLE delivery_cursor;
DROP TABLE delivery;
DROP TABLE session_begin;
DROP TABLE push_target;
DROP TABLE contact;
DROP TABLE message_channel;
DROP FUNCTION message_channel_row_changed();
