ALTER TABLE register_entry DROP COLUMN demo;
ALTER TABLE register_draw DROP COLUMN recused;
DROP TABLE register_recusal;
DROP FUNCTION register_recusal_row_changed();
DROP INDEX event_settings;
CREATE INDEX event_settings ON event (split_part(subject, ':', 1), seq)
    WHERE rows IS NOT NULL AND split_part(subject, ':', 1) IN (
        'user', 'squad', 'category', 'stage_limit', 'division', 'rule', 'calendar', 'log',
        'roster', 'feed', 'area', 'video_limit');
DROP TRIGGER row_changed ON duty_grid;
DROP TRIGGER row_changed ON duty_grid_division;
DROP TRIGGER row_changed ON district;
DROP TRIGGER row_changed ON device_model;
DROP FUNCTION duty_grid_row_changed();
DROP FUNCTION duty_grid_division_row_changed();
DROP FUNCTION district_row_changed();
DROP FUNCTION device_model_row_changed();
DO $$ BEGIN
    PERFORM log_rows_of('device_model', '{name}', '{model,name}', '{text,codec}');
END $$;
