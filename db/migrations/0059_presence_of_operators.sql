-- How long whoever had a screen open had it open: an hour of one minute is no hour of an operator.
-- depends: 0058_late_replies

ALTER TABLE operator_hour
    ADD seen_s int CHECK (seen_s BETWEEN 0 AND 3600);  -- NULL, of before: counted as all of the hour
