-- A district may have limits and categories of its own; '' is every district that has none.
-- depends: 0031_feeds_models_pipes

ALTER TABLE incident_category
    ADD district  text NOT NULL DEFAULT '',
    ADD withdrawn boolean NOT NULL DEFAULT false;   -- nobody files under it in this district
DROP INDEX category_in_force;
CREATE UNIQUE INDEX category_in_force ON incident_category (code, district) WHERE valid_to IS NULL;

-- Versions are numbered by clock, whoever they belong to.
ALTER TABLE stage_limit ADD district text NOT NULL DEFAULT '';

-- Which district a row belongs to is written into the trigger when it is made.
DROP TRIGGER row_changed ON incident_category;
DROP TRIGGER row_changed ON stage_limit;
DROP FUNCTION incident_category_row_changed();
DROP FUNCTION stage_limit_row_changed();
DO $$ BEGIN
    PERFORM log_rows_of('incident_category', '{code,version}', '{category,code}');
    PERFORM log_rows_of('stage_limit', '{clock,version}', '{stage_limit,clock}');
END $$;
