DROP TABLE incident_text_progress;
DROP TABLE incident_text;
