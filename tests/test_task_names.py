"""A task is one file: its name stands nowhere else, but where it still does.

The list may not grow. A file that names fewer gets its new number, one that names none goes out.
"""

from __future__ import annotations

import ast
from pathlib import Path

from mmstudio.tasks.kinds import known_tasks

PACKAGE = Path(__file__).resolve().parent.parent / "mmstudio"
STILL = {
    "export/shipped/predict.py": 4,  # stands alone, without this package
    "gui/pages/results/matrix_strip.py": 1, "gui/state/results.py": 4,
}
"""Per file outside ``tasks/`` how often it names a task, at most."""


def test_tasks_are_named_in_their_own_files() -> None:
    found = {path.relative_to(PACKAGE).as_posix(): count
             for path in sorted(PACKAGE.rglob("*.py")) if (count := names_in(path))}
    grown = {name: count for name, count in found.items()
             if not name.startswith("tasks/") and count > STILL.get(name, 0)}
    assert not grown, "let the task's kind say what is needed: tasks/kinds/base.py"


def names_in(path: Path) -> int:
    """How often a file holds the name of a task as a string of its own."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    known = set(known_tasks())
    return sum(isinstance(node, ast.Constant) and isinstance(node.value, str)
               and node.value in known for node in ast.walk(tree))
