"""A run as one page to hand on: it needs nothing else, and no app."""
