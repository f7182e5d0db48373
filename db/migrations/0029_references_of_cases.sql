-- What refers to a case, an alarm or a device is found without reading every case: lists ask for the
-- cases of a device, and whoever deletes one has to know that nothing refers to it.
-- depends: 0028_second_factor

CREATE INDEX incident_device ON incident (device_id) WHERE device_id IS NOT NULL;
CREATE INDEX incident_merged_into ON incident (merged_into) WHERE merged_into IS NOT NULL;
CREATE INDEX incident_split_from ON incident (split_from) WHERE split_from IS NOT NULL;
CREATE INDEX assignment_incident ON assignment (incident_id);
CREATE INDEX alarm_change_alarm ON alarm_change (alarm_id);
