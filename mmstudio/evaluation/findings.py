"""Rows that are worth a look, and why: what a review lists and people decide on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

LABEL, LEAK, COPY, OUTLIER = "label error", "leak", "near-duplicate", "outlier"
KINDS = {
    LABEL: "the label is likely wrong",
    LEAK: "the same content lies in another split",
    COPY: "another row holds the same content",
    OUTLIER: "far from all other rows",
}
"""Kinds of findings of a review, in words."""
UNLABELLED, CHOSEN = "unlabelled", "chosen"
"""Rows without a label, and rows that a person picked on the map: no review finds these."""
FIRST, LIKELY, DOUBTED = "contradicted", "likely", "doubted"


@dataclass(frozen=True)
class Said:
    """What one input alone says of a row; ``score`` is the label's probability where it has one."""

    input: str
    label: str
    score: float | None = None


@dataclass(frozen=True)
class Finding:
    """One row that is worth a look.

    Attributes:
        kind: One of ``KINDS``, ``UNLABELLED`` or ``CHOSEN``.
        row: Its number in the table, from 0.
        split: The row's.
        score: 0 to 1; the lower, the surer the finding.
        certainty: Of a label error: ``contradicted`` by several inputs alone, ``likely``, or
            ``doubted``: the scores say otherwise, but no surer than of many right labels.
        target: Of a label error or a missing label: whose label.
        given: The label as it stands in the table.
        suggested: What held-out scores suggest in its place.
        inputs: Of a label error, those that contradict it alone; else those in which it is seen.
        others: Of a copy, the other rows.
        says: Of a label error, what each input that is there says alone.
    """

    kind: str
    row: int
    split: str
    score: float
    certainty: str = LIKELY
    target: str = ""
    given: str = ""
    suggested: str = ""
    inputs: tuple[str, ...] = ()
    others: tuple[int, ...] = ()
    says: tuple[Said, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As the command line prints it: the keys of its own kind only."""
        data: dict[str, Any] = {"kind": self.kind, "row": self.row, "split": self.split,
                                "score": self.score}
        if self.kind == LABEL:
            return data | {"certainty": self.certainty, "target": self.target,
                           "given": self.given, "suggested": self.suggested,
                           "contradicted_by": list(self.inputs)}
        return data | {"inputs": list(self.inputs)} | (
            {"others": list(self.others)} if self.others else {})
