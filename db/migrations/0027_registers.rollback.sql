DROP TABLE register_draw;
DROP TABLE register_inspection;
DROP TABLE register_entry;
DROP TABLE register_definition;
DROP FUNCTION register_inspection_row_changed();
DROP FUNCTION register_definition_row_changed();
