DROP TABLE duty_grid_division;
ALTER TABLE unit_grid DROP COLUMN division;
-- Divisions of other levels stay where there are some.
ALTER TABLE division DROP CONSTRAINT division_level_check;
ALTER TABLE division ADD CONSTRAINT division_level_check
    CHECK (level IN ('district', 'street', 'community')) NOT VALID;
