-- At which level each rule holds an alarm, when it was last announced, and which devices are to be
-- judged by their latest values.
-- depends: 0009_sparkplug_heard

ALTER TABLE alarm
    ADD COLUMN levels jsonb NOT NULL DEFAULT '{}', -- {rule code: [[time, severity or null], ...]}
    ADD COLUMN announced_at timestamptz,      -- raised, became worse or came back; NULL: raised_at
    ADD COLUMN shelved_severity smallint CHECK (shelved_severity BETWEEN 1 AND 4);

-- Hand-over from the registry to the alarms: who counts again from `judge_at` on.
CREATE TABLE device_return (
    device_id   int PRIMARY KEY REFERENCES device ON DELETE CASCADE,
    judge_at    timestamptz NOT NULL,
    judged      boolean NOT NULL DEFAULT false -- once already
);
CREATE INDEX device_return_due ON device_return (judge_at);
INSERT INTO device_return (device_id, judge_at)
SELECT id, return_due_at FROM device
WHERE out_of_service_since IS NOT NULL AND return_due_at > now();
