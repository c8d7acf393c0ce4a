"""A run's report: one page with its figures and its mistakes, and nothing from elsewhere."""

from __future__ import annotations

import io
import json
import math
import os
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from mmstudio.cli import app
from mmstudio.errors import UserError
from mmstudio.evaluation.scores import Scores, scores_of
from mmstudio.modalities import MODALITIES
from mmstudio.report.mistakes import mistakes_of
from mmstudio.report.report import Report, report_of, write_report
from mmstudio.training.loop import train
from mmstudio.training.run_folder import RunFolder
from tests.one_thread import one_thread as one_thread  # a fixture
from tests.small_project import small_experiment, write_small_project


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_small_project(tmp_path_factory.mktemp("report") / "project")
    experiment = small_experiment({"training.epochs": 2})
    list(train(experiment, folder / "runs" / "one", folder=folder))
    return folder / "runs" / "one"


@pytest.fixture(scope="module")
def page(run: Path) -> str:
    found = [step for step in report_of(run) if isinstance(step, Report)]
    return found[0].page


class Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [v or "" for n, v in attrs if n in ("src", "href")]
        if tag not in ("meta", "img", "line", "rect", "polyline", "path"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self.open:
            assert self.open.pop() == tag


def test_the_page_stands_alone_and_is_whole(page: str, run: Path) -> None:
    links = Links()
    links.feed(page)
    assert links.open == []
    assert links.found and all(link.startswith("data:image/jpeg;base64,") for link in links.found)
    assert "<script" not in page and str(run.parent.parent) not in page


def test_it_holds_the_figures_of_an_evaluation(page: str, run: Path) -> None:
    result = CliRunner().invoke(app, ["evaluate", str(run), "--inputs", "--json"])
    figures = json.loads(result.stdout)
    for task, told in figures["tasks"].items():
        assert f"<h2>{task}</h2>" in page
        for figure in ("accuracy", "macro_f1"):
            if figure in told:
                low, high = told["interval"][figure]
                cells = re.escape(f"{told[figure]:.3f}") + ".*?" + re.escape(
                    f"{low:.3f} to {high:.3f}")
                assert re.search(cells, page)
    for subset in figures["subsets"]:
        assert f"<td>{' + '.join(subset['inputs'])}</td>" in page


def test_mistakes_are_wrong_answers_the_surest_first(run: Path) -> None:
    scores = next(s for s in scores_of(run, "test") if isinstance(s, Scores))
    experiment = RunFolder(run).experiment()
    for name, task in scores.tasks.items():
        worst = mistakes_of(scores, name, experiment, run.parent.parent, most=5)
        if task.kind != "classification":
            continue
        assert worst and all(one.truth != one.answer for one in worst)
        sure = [one.confidence for one in worst]
        assert sure == sorted(sure, reverse=True) and not any(map(math.isnan, sure))
        assert set(worst[0].contents) <= set(scores.inputs)
        shown = [c for one in worst for c in one.contents.values()]
        assert any(c.picture for c in shown) and any(c.outline for c in shown)


def test_a_file_that_is_gone_costs_only_its_picture(run: Path, tmp_path: Path) -> None:
    scores = next(s for s in scores_of(run, "test") if isinstance(s, Scores))
    experiment = RunFolder(run).experiment()
    folder = tmp_path / "moved"
    folder.mkdir()
    table = run.parent.parent / experiment.data.table
    (folder / experiment.data.table).write_bytes(table.read_bytes())
    worst = mistakes_of(scores, next(iter(scores.tasks)), experiment, folder)
    assert worst and not any(c.picture for one in worst for c in one.contents.values())
    (folder / experiment.data.table).unlink()
    assert mistakes_of(scores, next(iter(scores.tasks)), experiment, folder)[0].contents == {}


def test_the_command_writes_the_page(run: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["report", str(run), str(tmp_path / "out"), "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == {"report": str(tmp_path / "out.html")}
    assert (tmp_path / "out.html").read_text().startswith("<!doctype html>")


def test_the_command_prints_it_too(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mmstudio.gui.page_pdf.print_pdf",
                        lambda page, pdf: pdf.write_bytes(b"%PDF of " + page.name.encode()))
    result = CliRunner().invoke(
        app, ["report", str(run), str(tmp_path / "out.html"), "--pdf", "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["pdf"] == str(tmp_path / "out.pdf")
    assert (tmp_path / "out.pdf").read_bytes() == b"%PDF of out.html"


def test_a_place_that_can_not_be_written_is_refused_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def worked(*_: object) -> None:
        pytest.fail("it must be refused before the evaluation")

    monkeypatch.setattr("mmstudio.report.report.report_of", worked)
    result = CliRunner().invoke(app, ["report", str(tmp_path), str(tmp_path / "none" / "a.html")])
    assert isinstance(result.exception, UserError) and "no folder" in result.exception.message
    monkeypatch.setattr("os.access", lambda _, mode: mode != os.W_OK)
    result = CliRunner().invoke(app, ["report", str(tmp_path)])
    assert isinstance(result.exception, UserError) and "read-only" in result.exception.message


def test_pages_are_called_as_asked(tmp_path: Path) -> None:
    assert write_report(tmp_path / "a.htm", Report("x")).name == "a.htm"
    assert write_report(tmp_path / "a.b", Report("x")).name == "a.b.html"


def test_previews_show_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "wide.png"
    Image.new("RGBA", (600, 300), (255, 0, 0, 255)).save(path)
    image = MODALITIES.get("image")().preview(path)
    with Image.open(io.BytesIO(image.picture)) as small:
        assert small.size == (144, 72) and small.format == "JPEG"
    assert MODALITIES.get("text")().preview("two words").words == "two words"
    assert MODALITIES.get("tabular")().preview('{"age": "30", "town": null}').words == "age 30"
