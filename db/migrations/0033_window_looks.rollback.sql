DROP TABLE window_look;
