DROP TABLE kpi_publication;
DROP FUNCTION kpi_publication_is_append_only;
