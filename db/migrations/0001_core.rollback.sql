-- Going back below the first version would delete every case: not offered.
DO $$ BEGIN RAISE EXCEPTION 'the first migration cannot be rolled back; drop the database instead'; END $$;
