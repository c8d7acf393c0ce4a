"""Advice before training: what the inputs know, and which fusion suits that."""

from mmstudio.advice.advise import Advice, advise

__all__ = ["Advice", "advise"]
