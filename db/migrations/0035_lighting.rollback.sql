DROP TABLE lit_night, lamp_step_due, lamp_assignment, lamp_programme, lamp_answer, lamp_command, lamp_order;
DROP FUNCTION lamp_programme_row_changed, lamp_assignment_row_changed;
