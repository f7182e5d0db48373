-- Messages to people: channels, how a person is reached, who is signed in, and every delivery.
-- depends: 0053_field_tasks_and_handovers

CREATE TABLE message_channel (
    district    text NOT NULL REFERENCES district,
    name        text NOT NULL,
    kind        text NOT NULL CHECK (kind IN (
                    'email', 'sms', 'push', 'webhook', 'wecom', 'dingtalk', 'feishu', 'apprise')),
    address     text NOT NULL DEFAULT '',
    secret      text NOT NULL DEFAULT '' CHECK (secret = '' OR secret ~ '^(env|file):'),
    signature   text NOT NULL DEFAULT '' CHECK (signature = '' OR signature ~ '^(env|file):'),
    sender      text NOT NULL DEFAULT '',
    hosts       text[] NOT NULL DEFAULT '{}',
    text_max    int,
    mode        text NOT NULL DEFAULT 'on' CHECK (mode IN ('on', 'dry_run', 'off')),
    PRIMARY KEY (district, name)
);

CREATE TABLE contact (
    person      text PRIMARY KEY REFERENCES app_user ON DELETE CASCADE,
    email       text NOT NULL DEFAULT '',
    phone       text NOT NULL DEFAULT '',
    lang        text NOT NULL DEFAULT 'zh' CHECK (lang IN ('zh', 'en')),
    quiet_from  time,
    quiet_to    time,
    CHECK ((quiet_from IS NULL) = (quiet_to IS NULL))
);

CREATE TABLE push_target (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    person      text NOT NULL REFERENCES app_user ON DELETE CASCADE,
    endpoint    text NOT NULL UNIQUE,
    p256dh      text NOT NULL,
    auth        text NOT NULL,
    browser     text NOT NULL DEFAULT '',
    created_at  timestamptz NOT NULL,
    sid         text NOT NULL DEFAULT ''      -- of the session it was added in, and ends with
);
CREATE INDEX push_target_person ON push_target (person);

-- Sessions that nobody has ended. Of those of before nothing is known but whose they may be.
CREATE TABLE session_begin (
    sid         text PRIMARY KEY,
    name        text NOT NULL REFERENCES app_user ON DELETE CASCADE,
    began_at    timestamptz NOT NULL
);
CREATE INDEX session_begin_name ON session_begin (name, began_at);
INSERT INTO session_begin (sid, name, began_at)
SELECT 'before:' || name, name, now() FROM app_user WHERE disabled_at IS NULL;

CREATE TABLE delivery (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    district    text NOT NULL,
    incident_id bigint REFERENCES incident ON DELETE CASCADE,  -- NULL: about no case
    event_seq   bigint,                       -- what is told
    step        text NOT NULL,
    clock       text NOT NULL DEFAULT '',
    attempt     int NOT NULL DEFAULT 0,       -- of the clock
    person      text NOT NULL DEFAULT '',     -- '' is a group
    channel     text NOT NULL DEFAULT '',
    kind        text NOT NULL DEFAULT '',
    target      text NOT NULL DEFAULT '',
    lang        text NOT NULL,
    title       text NOT NULL,
    body        text NOT NULL,
    token       text NOT NULL UNIQUE,         -- of its link
    rings       boolean NOT NULL,
    urgent      boolean NOT NULL,
    state       text NOT NULL CHECK (state IN (
                    'queued', 'sent', 'delivered', 'seen', 'acknowledged', 'failed', 'withdrawn')),
    queued_at   timestamptz NOT NULL,
    due_at      timestamptz,                  -- of the next try; whoever sends it moves it ahead
    expires_at  timestamptz NOT NULL,
    tries       int NOT NULL DEFAULT 0,
    tried_at    timestamptz,
    text_sent   text NOT NULL DEFAULT '',     -- as the channel got it
    sent_at     timestamptz,
    delivered_at timestamptz,
    seen_at     timestamptz,
    seen_by     text NOT NULL DEFAULT '',
    acknowledged_at timestamptz,
    acknowledged_by text NOT NULL DEFAULT '',
    ended_at    timestamptz,                  -- when it failed or was withdrawn
    problem     text NOT NULL DEFAULT '',
    CHECK ((state = 'queued') = (due_at IS NOT NULL))
);
-- One thing is told once on one way.
CREATE UNIQUE INDEX delivery_once ON delivery (event_seq, channel, person, target)
    WHERE event_seq IS NOT NULL;
CREATE INDEX delivery_due ON delivery (district, channel, urgent DESC, due_at)
    WHERE due_at IS NOT NULL;
CREATE INDEX delivery_incident ON delivery (incident_id, id);
CREATE INDEX delivery_newest ON delivery (district, id DESC);
CREATE INDEX delivery_person ON delivery (person, id DESC);

-- Up to where the event log was looked at. What was before is old news.
CREATE TABLE delivery_cursor (seq bigint NOT NULL);
INSERT INTO delivery_cursor SELECT coalesce(max(seq), 0) FROM event_head;

DO $$ BEGIN
    PERFORM log_rows_of('message_channel', '{district,name}', '{message_channel,name}');
END $$;

DROP INDEX event_settings;
CREATE INDEX event_settings ON event (split_part(subject, ':', 1), seq)
    WHERE rows IS NOT NULL AND split_part(subject, ':', 1) IN (
        'user', 'squad', 'category', 'stage_limit', 'division', 'rule', 'calendar', 'log',
        'roster', 'feed', 'area', 'video_limit', 'duty_grid', 'model', 'district',
        'setting', 'message_channel', 'escalation');
