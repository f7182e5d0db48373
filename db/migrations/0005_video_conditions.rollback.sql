DROP INDEX video_event_repeated;
DROP INDEX video_event_condition;
