-- Which devices stand in a cell: asked of every cell that is moved or taken out.
-- depends: 0022_district_batches

CREATE INDEX device_unit_grid ON device (unit_grid);
