-- Which brigade a squad belongs to, and what it brings.
-- depends: 0056_scores

ALTER TABLE squad
    ADD COLUMN brigade_zh text NOT NULL DEFAULT '',  -- empty: to none
    ADD COLUMN brigade_en text NOT NULL DEFAULT '',
    ADD COLUMN kit text[] NOT NULL DEFAULT '{}';
