"""The window's pages, in the order in which a person works."""
