-- Which Sparkplug edge nodes are of long standing, and which may be forgotten.
-- depends: 0002_sparkplug

-- Bounded by db.sparkplug.NODES_MAX, but for those with a registered device.
ALTER TABLE sparkplug_node
    ADD COLUMN first_seen timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN heard_at timestamptz NOT NULL DEFAULT now(); -- to within db.sparkplug.HEARD_EVERY
