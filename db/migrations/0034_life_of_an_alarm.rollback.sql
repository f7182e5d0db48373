DROP TABLE operator_hour;
DROP INDEX alarm_live;
DROP INDEX alarm_ended;
DROP INDEX alarm_change_at;
-- Latched is nothing that the versions before know: its condition is gone, somebody has to look.
UPDATE alarm SET state = 'returned_unacknowledged'
WHERE state IN ('latched_unacknowledged', 'latched_acknowledged');
ALTER TABLE alarm
    DROP CONSTRAINT alarm_state_check,
    ADD CONSTRAINT alarm_state_check CHECK (state IN (
        'unacknowledged', 'acknowledged', 'returned_unacknowledged', 'normal')),
    DROP COLUMN latch_s, DROP COLUMN release_role, DROP COLUMN releasable_at;
