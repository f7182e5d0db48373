-- People and tokens can be changed by administrators; what changes is noticed within a second.
-- depends: 0009_sparkplug_heard

ALTER TABLE app_user ADD COLUMN version int NOT NULL DEFAULT 1;

-- Grows with every change of who may come in, whoever made it, also by hand: web servers that
-- remember people look at it twice a second.
CREATE TABLE access_change (
    only_row    boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    version     bigint NOT NULL
);
INSERT INTO access_change (version) VALUES (0);

CREATE FUNCTION count_access_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE access_change SET version = version + 1;
    RETURN NULL;
END
$$;
CREATE TRIGGER app_user_changed AFTER INSERT OR UPDATE OR DELETE ON app_user
    FOR EACH STATEMENT EXECUTE FUNCTION count_access_change();
CREATE TRIGGER api_token_changed AFTER INSERT OR UPDATE OR DELETE ON api_token
    FOR EACH STATEMENT EXECUTE FUNCTION count_access_change();
CREATE TRIGGER session_ended AFTER INSERT ON session_end
    FOR EACH STATEMENT EXECUTE FUNCTION count_access_change();
