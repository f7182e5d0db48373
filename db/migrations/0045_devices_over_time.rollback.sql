DROP INDEX reject_retired;
ALTER TABLE alarm_change DROP COLUMN why;
DROP TABLE device_past;
DROP INDEX device_external;
-- Of two devices that had one identity one after the other, the one that is there keeps it.
UPDATE device SET external_id = NULL WHERE retired_at IS NOT NULL AND EXISTS (
    SELECT FROM device other WHERE other.id <> device.id AND other.format = device.format
                               AND other.external_id = device.external_id);
CREATE UNIQUE INDEX device_external ON device (format, external_id) WHERE external_id IS NOT NULL;
ALTER TABLE device DROP COLUMN retired_at, DROP COLUMN retired_by, DROP COLUMN retired_reason;
