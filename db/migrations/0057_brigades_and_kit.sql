-- Which brigade a squad belongs to, and what it brings.
-- depends: 0053_field_tasks_and_handovers 0054_refused_gas

ALTER TABLE squad
    ADD COLUMN brigade_zh text NOT NULL DEFAULT '',  -- empty: to none
    ADD COLUMN brigade_en text NOT NULL DEFAULT '',
    ADD COLUMN kit text[] NOT NULL DEFAULT '{}';
