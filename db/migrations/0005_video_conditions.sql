-- Reports of cameras that number no events are joined by the condition they name.
-- depends: 0001_core

CREATE INDEX video_event_condition
    ON video_event (camera_id, (attributes->>'condition'), start_at DESC)
    WHERE attributes ? 'condition';
CREATE INDEX video_event_repeated
    ON video_event (camera_id, (attributes->>'repeated_as'), start_at DESC)
    WHERE attributes ? 'repeated_as';
