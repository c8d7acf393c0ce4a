"""A run folder that holds others, which answer together: ``ensemble.json`` says who, and how much.

``members/1`` and so on are whole run folders, without what only a resume needs. ``experiment.toml``
and ``schema.json`` are those of the member that counts most.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from mmstudio.errors import UserError
from mmstudio.reading import read_json, reading
from mmstudio.safe_files import refuse_links, write_whole
from mmstudio.shapes import fitted_to

FILE, MEMBERS = "ensemble.json", "members"
FORMAT = 1
MOST_BYTES = 1 << 20
_SHAPE = {"format": int, "members": [{"run": str, "weight": (0.0, 1.0)}]}


@dataclass(frozen=True)
class Member:
    """One of the runs that answer together.

    Attributes:
        run: The name of the run that it was.
        weight: How much its outputs count; all add up to 1.
    """

    run: str
    weight: float


def is_ensemble(run: Path) -> bool:
    """Whether a run folder holds others that answer together."""
    return (Path(run) / FILE).is_file()


def members_of(run: Path) -> list[tuple[Path, float]]:
    """The members' folders, each with how much it counts.

    Raises:
        UserError: The file is damaged, or a link stands in its place or a member's.
    """
    run = Path(run)
    refuse_links(run, [FILE, MEMBERS])
    with reading(run / FILE, "Make the ensemble again."):
        data = fitted_to(read_json(run / FILE, MOST_BYTES), _SHAPE)
        weights = [float(one["weight"]) for one in data["members"]]
        if data["format"] != FORMAT or not weights or abs(sum(weights) - 1) > 1e-6:
            raise ValueError("its members' weights don't add up to 1")
    refuse_links(run / MEMBERS, map(str, range(1, len(weights) + 1)))
    return [(member_folder(run, number), weight)
            for number, weight in enumerate(weights, start=1)]


def member_folder(run: Path, number: int) -> Path:
    """Where a member, counted from 1, lies."""
    return Path(run) / MEMBERS / str(number)


def write_members(run: Path, members: Sequence[Member]) -> None:
    """Say who answers together, the first of them first. Raises OSError."""
    data = {"format": FORMAT, "members": [asdict(member) for member in members]}
    write_whole(Path(run) / FILE, json.dumps(data, ensure_ascii=False, indent=1))


def refuse_ensemble(run: Path) -> None:
    """Raise UserError where a run is an ensemble, of what is done with one model alone."""
    if is_ensemble(run):
        raise UserError(
            f"{run} is an ensemble: this works on one model alone.",
            f"Give one of its members, such as {member_folder(run, 1)}; an ensemble "
            "predicts, evaluates and explains.")
