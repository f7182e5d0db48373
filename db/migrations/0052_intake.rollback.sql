DROP TABLE public_report_photo, public_report, intake;
DROP FUNCTION public_report_row_changed(), intake_row_changed();
