"""Published models: which there are, where they lie on this disk, and how they are loaded."""
