-- What a device was called, where it stood and what it was before each change; that it is no more.
-- depends: 0041_divisions_bound

ALTER TABLE device
    ADD retired_at     timestamptz,
    ADD retired_by     text,
    ADD retired_reason text NOT NULL DEFAULT '',
    ADD CHECK ((retired_at IS NULL) = (retired_by IS NULL));

-- Hardware of a device that is no more may stand elsewhere.
DROP INDEX device_external;
CREATE UNIQUE INDEX device_external ON device (format, external_id)
    WHERE external_id IS NOT NULL AND retired_at IS NULL;

-- One row a change, as the device was until then. What it is now stands in `device`.
CREATE TABLE device_past (
    device_id         integer NOT NULL REFERENCES device ON DELETE CASCADE,
    valid_to          timestamptz NOT NULL,
    version           integer NOT NULL,       -- of the device until then
    name              text NOT NULL,
    model             text NOT NULL,
    gas               text,
    lon               double precision NOT NULL,
    lat               double precision NOT NULL,
    report_interval_s integer NOT NULL,
    attributes        jsonb NOT NULL,
    PRIMARY KEY (device_id, valid_to, version)
);

-- What the alarms say of a change beside its kind: why an alarm ended.
ALTER TABLE alarm_change ADD why jsonb NOT NULL DEFAULT '{}';


-- What they sent after they were retired.
CREATE INDEX reject_retired ON reject (format, device, received_at) WHERE reason = 'device_retired';
