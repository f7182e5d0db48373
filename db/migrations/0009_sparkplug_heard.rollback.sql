ALTER TABLE sparkplug_node DROP COLUMN heard_at, DROP COLUMN first_seen;
