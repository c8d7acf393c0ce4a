"""What an evaluation tells, without what finds it out."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmstudio.training.events import without_nan
from mmstudio.training.input_figures import InputScores
from mmstudio.training.looks import count_looks, looks_sentence, note_look
from mmstudio.training.retrieval import Retrieval


@dataclass(frozen=True)
class Evaluation:
    """Figures of a run's best model; a task's ``loss`` stands in ``tasks`` beside its figures.

    ``inputs`` tells what each input is worth, where that was asked for; ``retrieval`` how well
    each input finds the others, where the run aligned them; ``main_figures`` names each task's
    figure for people, and ``source`` which rows were looked at. ``looks`` says how often this
    run's figures of the test rows were asked for, this time included, where they were; None where
    that can't be kept.

    ``unseen`` counts per task the rows whose label, or one of whose labels, training never saw.
    In the tasks ``counted_wrong`` they count as wrong in the figures; no loss is known of them. In
    others they count by their other labels alone.

    ``trained_on`` counts the rows that the run was trained on, and ``changed`` tells what else of
    the data is not as it was then.
    """

    split: str
    samples: int
    loss: float
    tasks: dict[str, dict[str, float]]
    inputs: InputScores | None = None
    main_figures: dict[str, str] = field(default_factory=dict)
    retrieval: list[Retrieval] = field(default_factory=list)
    unseen: dict[str, int] = field(default_factory=dict)
    counted_wrong: tuple[str, ...] = ()
    source: str = ""
    trained_on: int = 0
    changed: tuple[str, ...] = ()
    looks: int | None = 0

    def warnings(self) -> Iterator[str]:
        """What people should know of the figures, as sentences."""
        if self.looks is None:
            yield "The run can't be written to: it keeps no count of who looked at its test rows."
        elif self.looks > 1:
            yield looks_sentence(self.looks)
        for name, count in self.unseen.items():
            have = f"{count:,} row has" if count == 1 else f"{count:,} rows have"
            if name not in self.counted_wrong:
                yield (f"{have} a label of '{name}' that training never saw; that label is not in "
                       "the figures, which are too good by it.")
                continue
            more = ("" if self.inputs is None
                    else "; what each input is worth is computed on the other rows")
            yield (f"{have} a label of '{name}' that training never saw: counted as wrong in "
                   f"its figures, not in the loss{more}.")
        yield from self.changed

    def to_json(self) -> dict[str, Any]:
        """As the command line prints it; null where no label is known."""
        data: dict[str, Any] = without_nan(dataclasses.asdict(self))
        scores, *_ = (data.pop(key) for key in (
            "inputs", "main_figures", "retrieval", "counted_wrong", "source", "changed"))
        if not self.unseen:
            del data["unseen"]
        if not self.trained_on:
            del data["trained_on"]
        if self.changed:
            data["changed"] = list(self.changed)
        if (looks := data.pop("looks")) != 0:
            data["test_looks"] = looks
        if self.retrieval:
            data["retrieval"] = [one.to_json() for one in self.retrieval]
        if scores is not None:
            data |= {k: scores[k] for k in ("subsets", "contributions", "interactions")}
        return data


def looked_at(run: Path, split: str, table: Path | None) -> int | None:
    """Keep that figures of a run's own test rows were asked for.

    Returns:
        How often they were, this time included; 0 of other rows, None where it can't be kept.
    """
    if split != "test" or table is not None:
        return 0
    try:
        note_look(run, "an evaluation")
    except OSError:
        return None  # of somebody else's run, say; ``warnings`` tells it
    return count_looks(run)
