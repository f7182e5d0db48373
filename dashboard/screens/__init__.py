"""One folder a screen: `page.py` with its layout and callbacks, and its texts, script and style."""
