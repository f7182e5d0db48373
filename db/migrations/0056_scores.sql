-- How one score is made of several rates: versions, of which that of the end of a period counts.
-- depends: 0055_tallies

CREATE TABLE score_formula (
    district    text NOT NULL,                -- '' for those that have none of their own
    version     int NOT NULL CHECK (version > 0),
    name_zh     text NOT NULL,
    name_en     text NOT NULL,
    terms       jsonb NOT NULL,               -- as city.score.Term
    bands       jsonb NOT NULL,               -- [[letter, lowest score], …] from the best down
    source      text NOT NULL,
    valid_from  timestamptz NOT NULL,
    applied_by  text NOT NULL,
    PRIMARY KEY (district, version)
);

INSERT INTO score_formula VALUES (
    '', 1, '金牛区处置评分', 'Handling score of Jinniu',
    '[{"rate": "handling", "points": 30},
      {"rate": "handling_in_time", "points": 20},
      {"rate": "rework", "points": 20, "inverse": true},
      {"rate": "overdue", "points": 20, "inverse": true},
      {"rate": "postponing", "points": 10, "inverse": true}]',
    '[["A", 90], ["B", 80], ["C", 70], ["D", 0]]',
    'Jinniu, Chengdu; the bands are a proposal of this product', '-infinity', 'system');

-- Figures that people are sent by themselves, once of each period that has ended.
CREATE TABLE report_plan (
    district    text NOT NULL REFERENCES district,
    name        text NOT NULL CHECK (name <> ''),
    every       text NOT NULL CHECK (every IN ('day', 'week', 'month', 'quarter')),
    grouping    text NOT NULL,
    recipients  text[] NOT NULL CHECK (recipients <> '{}'),
    told_until  timestamptz NOT NULL,         -- end of the last period that was sent
    PRIMARY KEY (district, name)
);

-- How long handling took lately, by category, squad and local hour of sending; '' and -1 are any.
CREATE TABLE handling_time (
    district    text NOT NULL,
    category    text NOT NULL,
    squad       text NOT NULL,
    hour        smallint NOT NULL,
    count       int NOT NULL,
    percentiles double precision[] NOT NULL,  -- seconds, 0 % to 100 % in steps of 5 %
    PRIMARY KEY (district, category, squad, hour)
);

-- What was expected of an attempt when it began: never changed, to be compared with what came.
CREATE TABLE breach_forecast (
    incident_id bigint NOT NULL REFERENCES incident ON DELETE CASCADE,
    attempt     int NOT NULL,
    district    text NOT NULL,
    made_at     timestamptz NOT NULL,
    probability double precision NOT NULL CHECK (probability BETWEEN 0 AND 1),
    PRIMARY KEY (incident_id, attempt)
);
CREATE INDEX breach_forecast_made ON breach_forecast (district, made_at);
