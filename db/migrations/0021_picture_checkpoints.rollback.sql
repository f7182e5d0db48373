DROP TABLE picture_checkpoint;
