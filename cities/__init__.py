"""Cities that ship with the product, each a folder as `gridwarden city apply` takes it."""
