DROP TABLE escalation_step;
DROP FUNCTION escalation_step_row_changed();
