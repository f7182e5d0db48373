DROP INDEX event_settings;
