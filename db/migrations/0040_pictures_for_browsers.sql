-- A picture that any browser shows, beside a file that few do (HEIC).
-- depends: 0039_case_text

ALTER TABLE evidence ADD shown bytea;
