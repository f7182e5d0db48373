-- Areas of a city; what a video event needs before a person sees it; its snapshot; who looks at it.
-- depends: 0035_lighting

CREATE TABLE area (
    district    text NOT NULL,
    code        text NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('stalls', 'hazard', 'important')),
    name_zh     text NOT NULL,
    name_en     text NOT NULL,
    geometry    jsonb NOT NULL,               -- GeoJSON Point or Polygon, WGS-84
    radius_m    double precision,             -- of a point
    classes     text[] NOT NULL DEFAULT '{}', -- types of video events that it permits
    hours       text NOT NULL DEFAULT '',     -- '' is always
    valid_from  date,
    valid_until date,
    note        text NOT NULL DEFAULT '',
    PRIMARY KEY (district, code)
);

-- From which confidence and stay an event is shown; '' is every type, every camera. What nobody
-- has set is in alerts/video_types.toml.
CREATE TABLE video_limit (
    district    text NOT NULL,
    entry       text NOT NULL,                -- type@camera, '*' for every one
    type        text NOT NULL DEFAULT '',
    camera      text NOT NULL DEFAULT '',
    min_confidence double precision CHECK (min_confidence BETWEEN 0 AND 1),
    min_stay_s  int CHECK (min_stay_s >= 0),
    note        text NOT NULL DEFAULT '',
    PRIMARY KEY (district, entry)
);

ALTER TABLE video_event
    ADD standing    text NOT NULL DEFAULT 'new'
                    CHECK (standing IN ('new', 'stay', 'review', 'held')),
    ADD held_why    text NOT NULL DEFAULT '', -- low_confidence, short_stay, permitted, no_category
    ADD held_area   text NOT NULL DEFAULT '', -- code of the area that permits it
    ADD priority    smallint NOT NULL DEFAULT 0,
    ADD look_at     timestamptz DEFAULT now(), -- when to judge again whether a person should see it
    ADD dismiss_reason text NOT NULL DEFAULT '',
    ADD merged_into text NOT NULL DEFAULT '', -- subject: incident:ID or video:CAMERA/EVENT
    DROP CONSTRAINT video_event_review_check,
    ADD CONSTRAINT video_event_review_check
        CHECK (review IN ('pending', 'confirmed', 'dismissed', 'merged'));
UPDATE video_event SET look_at = NULL, standing = 'review' WHERE review <> 'pending';
CREATE INDEX video_event_look ON video_event (look_at) WHERE look_at IS NOT NULL;
CREATE INDEX video_event_review ON video_event (district, priority DESC, start_at)
    WHERE review = 'pending' AND standing = 'review';
CREATE INDEX video_event_held ON video_event (district, held_why, start_at)
    WHERE review = 'pending' AND standing = 'held';
CREATE INDEX video_event_kind ON video_event (district, type, start_at);

-- Who looks at an event until when, and what they have said that can still be taken back.
CREATE TABLE video_claim (
    camera_id   int NOT NULL,
    event_id    text NOT NULL,
    reviewer    text NOT NULL,
    until       timestamptz NOT NULL,
    verdict     jsonb,                        -- {"verdict", "reason", "note", "into", "role"}
    due_at      timestamptz,                  -- when the verdict holds
    PRIMARY KEY (camera_id, event_id),
    FOREIGN KEY (camera_id, event_id) REFERENCES video_event ON DELETE CASCADE
);
CREATE INDEX video_claim_due ON video_claim (due_at) WHERE due_at IS NOT NULL;

-- The picture of an event: to be taken, taken, refused; as it is kept.
CREATE TABLE video_snapshot (
    camera_id   int NOT NULL,
    event_id    text NOT NULL,
    district    text NOT NULL,
    url         text NOT NULL DEFAULT '',     -- '' where it came with the message
    host        text NOT NULL DEFAULT '',
    state       text NOT NULL DEFAULT 'waiting'
                CHECK (state IN ('waiting', 'stored', 'refused', 'failed', 'forgotten')),
    due_at      timestamptz DEFAULT now(),    -- when to try next
    attempts    int NOT NULL DEFAULT 0,
    problem     text NOT NULL DEFAULT '',
    media_type  text NOT NULL DEFAULT '',
    width       int,
    height      int,
    sha256      bytea,                        -- of what came
    content     bytea,
    blurred     boolean NOT NULL DEFAULT false,
    stored_at   timestamptz,
    forget_at   timestamptz,
    PRIMARY KEY (camera_id, event_id),
    FOREIGN KEY (camera_id, event_id) REFERENCES video_event ON DELETE CASCADE
);
CREATE INDEX video_snapshot_due ON video_snapshot (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX video_snapshot_forget ON video_snapshot (forget_at) WHERE forget_at IS NOT NULL;

DO $$ BEGIN
    PERFORM log_rows_of('area', '{district,code}', '{area,code}');
    PERFORM log_rows_of('video_limit', '{district,entry}', '{video_limit,entry}');
END $$;

DROP INDEX event_settings;
CREATE INDEX event_settings ON event (split_part(subject, ':', 1), seq)
    WHERE rows IS NOT NULL AND split_part(subject, ':', 1) IN (
        'user', 'squad', 'category', 'stage_limit', 'division', 'rule', 'calendar', 'log',
        'roster', 'feed', 'area', 'video_limit');
