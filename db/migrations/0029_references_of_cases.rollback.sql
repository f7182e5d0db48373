DROP INDEX alarm_change_alarm, assignment_incident, incident_split_from, incident_merged_into,
    incident_device;
