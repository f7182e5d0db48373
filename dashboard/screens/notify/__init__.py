"""Messages: how a person is reached, how the channels do, who was told what."""
