-- Devices whose newest readings a rule over a window has yet to look at: handed over by evaluation,
-- which screens whole batches, and taken by the tick of their district.
-- depends: 0032_limits_of_a_district

CREATE TABLE window_look (
    device_id   int NOT NULL REFERENCES device ON DELETE CASCADE,
    rule_code   text NOT NULL,
    since       timestamptz NOT NULL,         -- time of the oldest reading that was not looked at
    due_at      timestamptz NOT NULL,
    PRIMARY KEY (device_id, rule_code)
) WITH (fillfactor = 60);
CREATE INDEX window_look_due ON window_look (due_at);
