"""One module a screen, each with a `layout` and the callbacks it needs."""
