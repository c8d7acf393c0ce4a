"""Small views that the pages are made of."""
