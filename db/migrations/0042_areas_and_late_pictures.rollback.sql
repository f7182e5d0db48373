DROP TABLE video_case;
DELETE FROM video_snapshot WHERE number > 0;
ALTER TABLE video_snapshot
    DROP CONSTRAINT video_snapshot_pkey,
    DROP number,
    ADD PRIMARY KEY (camera_id, event_id);
DROP TRIGGER area_has_changed ON area;
DROP FUNCTION area_has_changed;
DROP TRIGGER device_has_moved ON device;
DROP FUNCTION device_has_moved;
DROP TRIGGER devices_are_placed ON device;
DROP FUNCTION devices_are_placed;
DROP FUNCTION list_devices_in_areas;
DROP TABLE device_area;
