"""What the people who run the installation see."""
