"""A folder of broken files stops neither the check nor a training run, and each is reported."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.data.broken_files import write_broken_project
from tests.in_a_process import LONGEST_S, MOST_MEMORY_MB, run_python

PROGRAM = """
from mmstudio.cli import main
main()
"""


def run(*arguments: object) -> tuple[list[dict[str, Any]], float]:
    """Run a command in a process of its own: its JSON lines, and its peak memory in MB."""
    ended = run_python(PROGRAM, *arguments, "--json")
    assert ended.code == 0, ended.err[-2000:]
    assert ended.seconds < LONGEST_S
    return [json.loads(line) for line in ended.out.splitlines()], ended.peak_mb


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, str]]]:
    folder = tmp_path_factory.mktemp("broken") / "project"
    return folder, write_broken_project(folder)


def test_every_broken_file_is_reported_by_row(
    broken: tuple[Path, list[dict[str, str]]],
) -> None:
    folder, rows = broken
    at_fault = [r for r, cells in enumerate(rows) if cells["what"]]
    assert len(at_fault) >= 200
    [report], peak_mb = run("check", folder / "experiment.toml")
    assert report["rows"] == len(rows)
    told: dict[int, str] = {}
    for problem in report["problems"]:
        if problem["row"] >= 0:
            assert problem["message"] and problem["hint"]
            column = next(c for c in ("image", "sound", "words") if rows[problem["row"]][c])
            if problem["column"] == column or rows[problem["row"]]["what"]:
                told[problem["row"]] = problem["message"]
    untold = [(r, rows[r]["what"], rows[r]["image"] or rows[r]["sound"]) for r in at_fault
              if r not in told]
    assert not untold
    assert not [(r, told[r]) for r in told if not rows[r]["what"]]
    assert peak_mb < MOST_MEMORY_MB


def test_a_run_trains_through_them(broken: tuple[Path, list[dict[str, str]]]) -> None:
    folder, _ = broken
    events, peak_mb = run("train", folder / "experiment.toml", "--run", "first")
    assert events[-1]["event"] == "run_finished"
    assert peak_mb < MOST_MEMORY_MB


@pytest.mark.skipif(os.geteuid() != 0, reason="the folder above holds files without permission")
def test_files_without_permission_are_left_out_as_root() -> None:
    pytest.skip("root may read every file: 'no permission' can't be made here")
