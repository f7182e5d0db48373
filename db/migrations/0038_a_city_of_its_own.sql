-- What a city keeps of its own: its history whole, and registers that are kept on a page.
-- depends: 0037_trials_and_permits

-- Duty grids, the district itself and the text of a city's own device models are in the log as the
-- other settings are, so that their history says what was before.

DROP TRIGGER row_changed ON device_model;
DROP FUNCTION device_model_row_changed();
DO $$ BEGIN
    PERFORM log_rows_of('duty_grid', '{code}', '{duty_grid,code}');
    PERFORM log_rows_of('duty_grid_division', '{duty_grid,division}', '{duty_grid,duty_grid}');
    PERFORM log_rows_of('district', '{code}', '{district,code}');
    PERFORM log_rows_of('device_model', '{name}', '{model,name}');
END $$;

-- What is there by now is where their history begins.
DO $$ BEGIN
    PERFORM put_row_aside('duty_grid', '{duty_grid,code}', '{code}', to_jsonb(t), true)
    FROM duty_grid t;
    PERFORM put_row_aside('duty_grid_division', '{duty_grid,duty_grid}', '{duty_grid,division}',
                          to_jsonb(t), true)
    FROM duty_grid_division t;
    PERFORM put_row_aside('district', '{district,code}', '{code}', to_jsonb(t), true)
    FROM district t;
    PERFORM put_row_aside('device_model', '{model,name}', '{name}', to_jsonb(t), true)
    FROM device_model t;
END $$;

DROP INDEX event_settings;
CREATE INDEX event_settings ON event (split_part(subject, ':', 1), seq)
    WHERE rows IS NOT NULL AND split_part(subject, ':', 1) IN (
        'user', 'squad', 'category', 'stage_limit', 'division', 'rule', 'calendar', 'log',
        'roster', 'feed', 'area', 'video_limit', 'duty_grid', 'model', 'district', 'setting');

-- An inspector who is related to an entry is not drawn for it.
CREATE TABLE register_recusal (
    entry_id    bigint NOT NULL REFERENCES register_entry ON DELETE CASCADE,
    person      text NOT NULL,
    why         text NOT NULL CHECK (why <> ''),
    declared_by text NOT NULL,
    declared_at timestamptz NOT NULL,
    PRIMARY KEY (entry_id, person)
);
ALTER TABLE register_draw ADD recused jsonb NOT NULL DEFAULT '[]';  -- [[code of an entry, [inspector]]]
ALTER TABLE register_entry ADD demo boolean NOT NULL DEFAULT false;
DO $$ BEGIN
    PERFORM log_rows_of('register_recusal', '{entry_id,person}', '{register_entry,entry_id}');
END $$;
