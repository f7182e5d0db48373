-- What comes to the command center beside alarms: calls, orders of other platforms, patches of
-- drones and satellites, and what people send from the public page until somebody looked at it.
-- depends: 0050_calls_for_help

-- One call or order. Several may be about one case: each caller is kept and answered.
CREATE TABLE intake (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    district    text NOT NULL REFERENCES district,
    incident_id bigint NOT NULL REFERENCES incident,
    channel     text NOT NULL,                -- city.intake.Channel
    external_number text NOT NULL DEFAULT '', -- of the hotline or the upper platform
    joined      boolean NOT NULL,             -- to a case that was open already
    moved_from  bigint[] NOT NULL DEFAULT '{}', -- cases that were merged, the last one last
    caller      text NOT NULL DEFAULT '',
    phone       text NOT NULL DEFAULT '',
    said        text NOT NULL DEFAULT '',
    received_by text NOT NULL,
    received_at timestamptz NOT NULL,
    polygon     jsonb,                        -- [[lon, lat], …] of a patch
    captured_on date,
    reply_due_at timestamptz,                 -- NULL: nobody waits for a reply
    replied_at  timestamptz,
    replied_by  text,
    reply       text NOT NULL DEFAULT '',
    wants_call_back boolean NOT NULL DEFAULT false,
    call_back_due_at timestamptz,             -- from the end of the case on
    call_back_tries int NOT NULL DEFAULT 0,   -- calls that nobody answered
    called_back_at timestamptz,
    called_back_by text,
    satisfaction smallint CHECK (satisfaction IN (100, 80, 50, 0, -100)),
    version     int NOT NULL DEFAULT 1
);
CREATE UNIQUE INDEX intake_external ON intake (district, channel, external_number)
    WHERE external_number <> '';
CREATE INDEX intake_incident ON intake (incident_id);
CREATE INDEX intake_reply_due ON intake (district, reply_due_at)
    WHERE reply_due_at IS NOT NULL AND replied_at IS NULL;
CREATE INDEX intake_call_back_due ON intake (district, call_back_due_at)
    WHERE wants_call_back AND called_back_at IS NULL;

-- What anybody sent from the public page. `code` is what the sender was told and all that it takes
-- to see how it stands; `once` is of the form, so that the same form twice is one report.
CREATE TABLE public_report (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    district    text NOT NULL REFERENCES district,
    code        text NOT NULL UNIQUE,
    once        text NOT NULL UNIQUE,
    kind        text NOT NULL,                -- city.intake.PlainKind
    said        text NOT NULL,
    place_said  text NOT NULL DEFAULT '',
    lon         double precision,
    lat         double precision,
    unit_grid   text,                         -- where that is
    street      text,
    community   text,
    phone       text NOT NULL DEFAULT '',
    received_at timestamptz NOT NULL,
    state       text NOT NULL DEFAULT 'waiting'
                CHECK (state IN ('waiting', 'accepted', 'rejected', 'spam')),
    decided_by  text,
    decided_at  timestamptz,
    reason      text NOT NULL DEFAULT '',     -- a code, of a report that is rejected
    incident_id bigint REFERENCES incident,
    version     int NOT NULL DEFAULT 1,
    CHECK ((lon IS NULL) = (lat IS NULL))
);
CREATE INDEX public_report_waiting ON public_report (district, id) WHERE state = 'waiting';
CREATE INDEX public_report_newest ON public_report (district, id DESC);
CREATE INDEX public_report_incident ON public_report (incident_id)
    WHERE incident_id IS NOT NULL;

CREATE TABLE public_report_photo (
    report_id   bigint NOT NULL REFERENCES public_report,
    ordinal     smallint NOT NULL,
    media_type  text NOT NULL,
    sha256      bytea NOT NULL,
    content     bytea NOT NULL,
    taken_at    timestamptz,
    lon         double precision,
    lat         double precision,
    shown       bytea,                        -- an upright JPEG, where few browsers show the file
    PRIMARY KEY (report_id, ordinal)
);

DO $$ BEGIN
    PERFORM log_rows_of('intake', '{id}', '{incident,incident_id}', '{caller,phone}');
    PERFORM log_rows_of('public_report', '{id}', '{report,id}',
                        '{code,once,phone,said,place_said}');
END $$;
