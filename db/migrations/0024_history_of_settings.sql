-- Events that change settings are few among those of alarms and incidents: found without reading
-- them all (`db.settings_history`).
-- depends: 0023_device_cell

CREATE INDEX event_settings ON event (split_part(subject, ':', 1), seq)
    WHERE rows IS NOT NULL AND split_part(subject, ':', 1) IN (
        'user', 'squad', 'category', 'stage_limit', 'division', 'rule', 'calendar', 'log');
