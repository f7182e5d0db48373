-- Alarms that latch, and what the measures of alarm management are counted from.
-- depends: 0033_window_looks

ALTER TABLE alarm
    ADD latch_s       int CHECK (latch_s >= 0),  -- NULL: it ends by itself
    ADD release_role  text,                      -- who may release it
    ADD releasable_at timestamptz,               -- while it is latched: from when on
    DROP CONSTRAINT alarm_state_check,
    ADD CONSTRAINT alarm_state_check CHECK (state IN (
        'unacknowledged', 'acknowledged', 'returned_unacknowledged', 'latched_unacknowledged',
        'latched_acknowledged', 'normal'));

-- Who had a screen open to look at alarms, an hour a row: alarms are counted per operator.
CREATE TABLE operator_hour (
    district    text NOT NULL,
    hour        timestamptz NOT NULL,
    name        text NOT NULL,
    seen_at     timestamptz NOT NULL,
    PRIMARY KEY (district, hour, name)
);

-- Changes of a stretch of time, with what is counted of them.
CREATE INDEX alarm_change_at ON alarm_change (at) INCLUDE (alarm_id, kind);
-- What lasted into a stretch of time.
CREATE INDEX alarm_ended ON alarm (district, ended_at);
-- The registers.
CREATE INDEX alarm_live ON alarm (district, severity, id DESC) WHERE state <> 'normal';
