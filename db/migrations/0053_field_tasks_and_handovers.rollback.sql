DROP TABLE handover_note, handover, field_task;
DROP FUNCTION handover_note_row_changed(), handover_row_changed(), field_task_row_changed();
