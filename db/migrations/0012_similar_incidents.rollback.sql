DROP INDEX alarm_condition;
DROP TABLE incident_similar;
