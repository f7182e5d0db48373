-- People and tokens may be bounded to divisions below the district, and divisions have outlines.
-- depends: 0044_published_figures

-- Codes of divisions; none at all: the whole district.
ALTER TABLE app_user ADD divisions text[] NOT NULL DEFAULT '{}';
ALTER TABLE api_token ADD divisions text[] NOT NULL DEFAULT '{}';

-- Whether what is in this cell lies in one of these divisions, which are named with all below them.
-- The lowest division counts; where the cell is none of the grid, what the row itself says.
CREATE FUNCTION lies_within(cell text, community text, street text, divisions text[])
    RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT coalesce(
        coalesce((SELECT coalesce(u.division, u.community) FROM unit_grid u WHERE u.code = $1),
                 $2, $3) = ANY($4),
        false)
$$;

-- Outlines of divisions, GeoJSON in WGS-84. The log has how many were changed, and no row.
CREATE TABLE division_outline (
    division    text PRIMARY KEY REFERENCES division ON DELETE CASCADE,
    outline     jsonb NOT NULL
);
