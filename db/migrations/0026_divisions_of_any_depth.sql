-- A city names its levels itself, and has duty grids of its own.
-- depends: 0025_setup_code

ALTER TABLE division DROP CONSTRAINT division_level_check;
ALTER TABLE division ADD CONSTRAINT division_level_check CHECK (level <> '');

-- The lowest division a cell lies in, where that is below its community.
ALTER TABLE unit_grid ADD division text REFERENCES division;

-- Whose cells a duty grid has, at any level and with all below. A district without a row has one
-- duty grid for each community.
CREATE TABLE duty_grid_division (
    division    text PRIMARY KEY REFERENCES division,
    duty_grid   text NOT NULL REFERENCES duty_grid
);
