"""Corruptions of growing strength, one file per modality; loaded when they are asked for."""
