"""Rows that somebody decides on: the list, the sample, the keys; shared by several pages."""
