"""Which of a table's answers are wanted, and in which order. Nothing here needs torch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SheetQuestion:
    """Which rows are wanted, in which order.

    Attributes:
        task: Whose answers are looked at.
        answer: Only rows with this answer; None for any.
        least: Only rows that are at least so sure; 0 for any.
        below: Only rows that are less sure; above 1 for any.
        faults: Only rows of which something could not be read.
        among: Only these rows; None for all.
        sort: "" for the table's order, "answer", "sure" or "error".
        sort_task: Whose.
        descending: The other way round.
    """

    task: str = ""
    answer: str | None = None
    least: float = 0.0
    below: float = 2.0
    faults: bool = False
    among: frozenset[int] | None = None
    sort: str = ""
    sort_task: str = ""
    descending: bool = False

    @property
    def takes_all(self) -> bool:
        """Whether it wants all rows as they come."""
        return (self.answer is None and self.least <= 0 and self.below > 1 and not self.faults
                and self.among is None and not self.sort and not self.descending)
