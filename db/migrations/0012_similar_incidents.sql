-- Incidents that may be the same matter: named to the dispatcher, joined by nobody but a person.
-- And the way from a condition to the incident that holds its newest alarm.
-- depends: 0009_sparkplug_heard

CREATE TABLE incident_similar (
    incident_id bigint NOT NULL REFERENCES incident, -- the newer one
    similar_to  bigint NOT NULL REFERENCES incident,
    because     text NOT NULL,                -- same_device, near_same_category
    distance_m  double precision NOT NULL,
    PRIMARY KEY (incident_id, similar_to)
);
CREATE INDEX incident_similar_older ON incident_similar (similar_to);

CREATE INDEX alarm_condition ON alarm (condition, id);
