"""A city as a folder: read, checked, compared with the database, put in force, written out."""
