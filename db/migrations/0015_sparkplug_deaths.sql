-- Which Last Wills of Sparkplug edge nodes are old, and who is not asked for births again.
-- depends: 0009_sparkplug_heard

ALTER TABLE sparkplug_node
    ADD COLUMN overtaken jsonb NOT NULL DEFAULT '[]', -- [[bdSeq, receipt of the birth that overtook it]]
    ADD COLUMN rebirth_unanswered boolean NOT NULL DEFAULT false;
