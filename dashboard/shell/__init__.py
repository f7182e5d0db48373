"""What all screens stand on: the server, who comes in, the live channel, frame and words."""
