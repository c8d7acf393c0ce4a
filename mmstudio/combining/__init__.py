"""Answers from more than the fusion: kernel machines, the inputs' own heads, and their pool."""
