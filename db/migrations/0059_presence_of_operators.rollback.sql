ALTER TABLE operator_hour DROP COLUMN seen_s;
