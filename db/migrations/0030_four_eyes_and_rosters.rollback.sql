DROP TABLE squad_roster, approval;
DROP FUNCTION squad_roster_row_changed, approval_row_changed;
DROP INDEX event_settings;
CREATE INDEX event_settings ON event (split_part(subject, ':', 1), seq)
    WHERE rows IS NOT NULL AND split_part(subject, ':', 1) IN (
        'user', 'squad', 'category', 'stage_limit', 'division', 'rule', 'calendar', 'log');
