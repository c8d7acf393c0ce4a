"""Curves, and what they are drawn with."""
