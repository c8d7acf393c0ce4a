"""The sets of ``first_click.py``: those that lie on the disk, and those that are made by a script.

Each is a folder with ``metadata.csv``, one row per sample and a column that gives the split.
"""
