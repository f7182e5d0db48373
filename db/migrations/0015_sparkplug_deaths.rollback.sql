ALTER TABLE sparkplug_node DROP COLUMN rebirth_unanswered, DROP COLUMN overtaken;
