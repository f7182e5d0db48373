DROP TABLE ingest_worker;
CREATE TABLE ingest_worker (
    name        text PRIMARY KEY,
    started_at  timestamptz NOT NULL,
    seen_at     timestamptz NOT NULL,
    filters     text[] NOT NULL,
    adopted_by  text,
    adopted_at  timestamptz
);
DROP TABLE left_session;
DROP TABLE inbox_lease;
