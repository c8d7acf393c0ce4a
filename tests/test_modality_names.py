"""A modality is one file: its name stands nowhere else, but where it still does.

Neither list may grow. A file that names fewer gets its new number, one that names none goes out.
"""

from __future__ import annotations

import ast
from pathlib import Path

from mmstudio.modalities import MODALITIES

PACKAGE = Path(__file__).resolve().parent.parent / "mmstudio"
OWN = ("modalities/", "encoders/", "pretrained/", "gui/media/", "export/shipped/")
"""Rooms that are about modalities; what is shipped stands alone, without this package."""
STILL: dict[str, int] = {}
"""Per file how often it names a modality."""
ANOTHER_SENSE = {
    "advice/findings.py": 1, "column_cells.py": 1, "data/folders.py": 3,
    "data/lists_in_cells.py": 1, "data/places.py": 5, "gui/forms.py": 1, "gui/style.py": 1,
    "gui/pages/data/split_bar.py": 1, "gui/pages/model/advice_bars.py": 1,
    "gui/pages/model/fusion_choices.py": 1, "gui/pages/results/map_colours.py": 1,
    "gui/pages/results/matrix_view.py": 3, "gui/pages/search/parallel_plot.py": 1,
    "gui/plots/overlay_plot.py": 1,
    "gui/pages/testing/sample_card.py": 1,
    "gui/parts/banner.py": 1, "gui/parts/bar_list.py": 2,
    "registry.py": 2,
}
"""Per file how often such a word means something else: a colour, a kind of option, a column."""


def test_modalities_are_named_in_their_own_files() -> None:
    allowed = {name: STILL.get(name, 0) + ANOTHER_SENSE.get(name, 0)
               for name in {*STILL, *ANOTHER_SENSE}}
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        if not name.startswith(OWN) and (count := names_in(path)):
            found[name] = count
    grown = {n: count for n, count in found.items() if count > allowed.get(n, 0)}
    assert not grown, "let the modality say itself what is needed: modalities/base.py"
    shrunk = {n: found.get(n, 0) for n, count in allowed.items() if found.get(n, 0) < count}
    assert not shrunk, "fewer than listed: shorten the list"


def names_in(path: Path) -> int:
    """How often a file holds the name of a modality as a string of its own."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    known = set(MODALITIES.names())
    return sum(isinstance(node, ast.Constant) and isinstance(node.value, str)
               and node.value in known for node in ast.walk(tree))
