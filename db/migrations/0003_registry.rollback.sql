DROP INDEX reject_stranger;
DROP TABLE device_identity;
DROP TABLE discovered_device;
DROP INDEX device_out_of_service;
ALTER TABLE device
    DROP COLUMN out_of_service_reason,
    DROP COLUMN out_of_service_by,
    DROP COLUMN version;
