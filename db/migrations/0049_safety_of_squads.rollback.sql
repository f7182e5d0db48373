DROP TABLE distress_call, check_in;
DROP FUNCTION distress_call_row_changed;
