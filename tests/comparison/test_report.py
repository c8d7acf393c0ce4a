"""The report: one file that needs nothing else, and the table beside it."""

from __future__ import annotations

import csv
import io
from html.parser import HTMLParser
from pathlib import Path

import pytest

from mmstudio.comparison.folder import Failure
from mmstudio.comparison.ranking import rank
from mmstudio.comparison.report import ranking_csv, report_html, save_report
from tests.comparison.made_up import YEARS, answers, made_plan, made_scores, ranked

VOID = {"meta", "line", "circle", "br"}


class Page(HTMLParser):
    """Collects the texts and holds that every tag is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def read(text: str) -> Page:
    page = Page()
    page.feed(text)
    assert not page.open
    return page


def test_the_page_needs_nothing_else_and_escapes_what_is_named() -> None:
    evil = "<script>alert(1)</script>"
    plan = made_plan(inputs=(evil,))
    scores = [made_scores("fusion:gated", answers(45, 50)),
              made_scores(f"input:{evil}", answers(40, 50))]
    failure = Failure("trial.x", "fusion:x", "Out of <memory>.", "Take & less.")
    text = report_html(rank(plan, scores, [failure]))
    page = read(text)
    tags = {tag for tag, _ in page.seen}
    assert not tags & {"script", "link", "img", "iframe"}
    assert not [a for _, a in page.seen if {"src", "href"} & set(a)]
    assert "http" not in text
    assert "prefers-color-scheme: dark" in text
    assert f"{evil} alone" in page.text
    assert "Out of <memory>. Take & less." in page.text
    assert len([tag for tag, _ in page.seen if tag == "svg"]) == 2


def test_bars_lie_where_the_scores_do() -> None:
    page = read(report_html(ranked({"fusion:gated": [answers(90, 100)],
                                    "input:sound": [answers(50, 100)]})))
    means = [float(a["cx"] or 0) for tag, a in page.seen if tag == "circle"]
    whiskers = [(float(a["x1"] or 0), float(a["x2"] or 0)) for tag, a in page.seen
                if tag == "line" and a.get("class") == "whisker"]
    assert means[0] > means[1]
    for mean, (low, high) in zip(means, whiskers, strict=True):
        assert 0 <= low < mean < high <= 220


@pytest.mark.parametrize("errors", [False, True])
def test_the_table_holds_the_figures_as_people_read_them(errors: bool) -> None:
    good, bad = answers(90, 100), answers(50, 100)
    if errors:
        ranking = ranked({"fusion:gated": [good - 3], "input:sound": [bad - 3]}, YEARS)
    else:
        ranking = ranked({"fusion:gated": [good], "input:sound": [bad]})
    best, other = csv.DictReader(io.StringIO(ranking_csv(ranking)))
    name = "mean_absolute_error" if errors else "accuracy_percent"
    assert (best["method"], best["kind"], other["title"]) == ("gated", "fusion", "sound alone")
    assert float(best[name]) == pytest.approx(2.1 if errors else 90)
    assert float(best["interval_low"]) < float(best[name]) < float(best["interval_high"])
    assert best["difference_to_best"] == ""
    assert float(other["difference_to_best"]) == pytest.approx(-0.4 if errors else -40)
    assert (other["tied_with_best"], other["rows"], other["bytes"]) == ("no", "100", "4200")


def test_saved_anywhere_both_files_stand_beside_each_other(tmp_path: Path) -> None:
    ranking = ranked({"fusion:gated": [answers(9, 10)], "input:sound": [answers(5, 10)]})
    page, table = save_report(ranking, tmp_path / "mine")
    assert (page.name, table.name) == ("mine.html", "mine.csv")
    assert page.read_text(encoding="utf-8") == report_html(ranking)
    assert table.read_text(encoding="utf-8") == ranking_csv(ranking)


def test_no_name_in_the_table_is_a_formula() -> None:
    ranking = ranked({"fusion:gated": [answers(9, 10)], "input:=1+1": [answers(5, 10)]})
    rows = list(csv.DictReader(io.StringIO(ranking_csv(ranking))))
    assert [(row["method"], row["title"]) for row in rows][1] == ("'=1+1", "'=1+1 alone")
    assert float(rows[1]["difference_to_best"]) < 0
