DROP TABLE stage_beat;
