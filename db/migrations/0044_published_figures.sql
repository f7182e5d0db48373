-- Key figures of a month, quarter or year as they were published. Each restatement is one more
-- edition with its reason; none is ever changed.
-- depends: 0043_lateness_stays

CREATE TABLE kpi_publication (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    district    text NOT NULL REFERENCES district,
    period      text NOT NULL,                -- 2026-07, 2026-Q3, 2026
    start_at    timestamptz NOT NULL,
    end_at      timestamptz NOT NULL CHECK (end_at > start_at),
    edition     int NOT NULL,
    published_at timestamptz NOT NULL CHECK (published_at >= end_at),
    published_by text NOT NULL,
    reason      text NOT NULL DEFAULT '',
    figures     jsonb NOT NULL,               -- {grouping: [figures of a group]}
    UNIQUE (district, period, edition),
    CHECK (edition = 1 OR reason <> '')
);

CREATE FUNCTION kpi_publication_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'published figures do not change: restate them';
END $$;
CREATE TRIGGER kpi_publication_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON kpi_publication
    FOR EACH STATEMENT EXECUTE FUNCTION kpi_publication_is_append_only();
