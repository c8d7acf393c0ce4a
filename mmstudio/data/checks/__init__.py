"""What is wrong with the data, row by row, before anyone trains on it. One family, one file."""

from __future__ import annotations

from mmstudio.data.checks.problem import KINDS, Problem, Report, by_kind
from mmstudio.data.checks.run import check

__all__ = ["KINDS", "Problem", "Report", "by_kind", "check"]
