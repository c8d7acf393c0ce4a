"""The Runs page: all runs of the project."""
