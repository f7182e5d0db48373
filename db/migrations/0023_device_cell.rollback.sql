DROP INDEX device_unit_grid;
