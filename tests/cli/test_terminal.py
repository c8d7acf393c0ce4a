"""No name in data or runs reaches the terminal as something that it obeys."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.table import Table

from mmstudio.cli.output import print_json, say, tell, visible
from mmstudio.cli.terminal import Console
from tests.cli.conftest import Run

EVIL = "\x1b]0;owned\x07a\x1b[2J\x9b31mb\r\x7fc\udcff"
SHOWN = "]0;owneda[2J31mbc\ufffd"


def test_what_a_terminal_obeys_is_left_out() -> None:
    assert visible(EVIL) == SHOWN
    assert visible("two\nlines\tand é 漢 🙂") == "two\nlines\tand é 漢 🙂"


def test_every_way_to_print_is_free_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    say(EVIL)
    tell(EVIL)
    console = Console(width=60, color_system=None, force_terminal=False)
    console.print(EVIL, markup=False, highlight=False)
    table = Table(title=EVIL)
    table.add_column(EVIL)
    table.add_row(EVIL)
    console.print(table)
    out, err = capsys.readouterr()
    assert err == f"{SHOWN}\n"
    assert out.count(SHOWN) == 5
    assert not set(out + err) & set("\x1b\x07\x9b\r\x7f\udcff")


def test_styles_are_still_sent(capsys: pytest.CaptureFixture[str]) -> None:
    Console(color_system="standard", force_terminal=True).print("a", style="red")
    assert "\x1b[31ma\x1b[0m" in capsys.readouterr().out


def test_json_holds_the_same_in_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"label": EVIL})
    out = capsys.readouterr().out
    assert json.loads(out) == {"label": EVIL}
    assert out.isascii() and not set(out) & set("\x1b\x07\r\x7f")


def test_a_hostile_project_is_reported_as_it_stands(run: Run, tmp_path: Path) -> None:
    (tmp_path / "\x1b[2Jt.csv").write_text("a,b\n")
    found = run("new", tmp_path / "project", "--data", tmp_path / "\x1b[2Jt.csv")
    assert found.code == 1 and "[2Jt.csv" in found.err
    assert "\x1b" not in found.out + found.err
