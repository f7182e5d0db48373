-- What one district alone had is in force for nobody; cases keep the version they were filed under.
UPDATE incident_category SET valid_to = current_date WHERE district <> '' AND valid_to IS NULL;
UPDATE stage_limit SET valid_to = current_date WHERE district <> '' AND valid_to IS NULL;
DROP TRIGGER row_changed ON incident_category;
DROP TRIGGER row_changed ON stage_limit;
DROP FUNCTION incident_category_row_changed();
DROP FUNCTION stage_limit_row_changed();
DROP INDEX category_in_force;
ALTER TABLE incident_category DROP COLUMN district, DROP COLUMN withdrawn;
ALTER TABLE stage_limit DROP COLUMN district;
CREATE UNIQUE INDEX category_in_force ON incident_category (code) WHERE valid_to IS NULL;
DO $$ BEGIN
    PERFORM log_rows_of('incident_category', '{code,version}', '{category,code}');
    PERFORM log_rows_of('stage_limit', '{clock,version}', '{stage_limit,clock}');
END $$;
