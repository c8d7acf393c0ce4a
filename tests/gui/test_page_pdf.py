"""A page as PDF, printed by Qt's web engine in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mmstudio.errors import UserError
from mmstudio.gui import page_pdf

PAGE = """<!doctype html><html><head><style>h1 { page-break-after: always; }</style></head><body>
<h1>One</h1><p>Two</p><svg width="50" height="50"><rect width="50" height="50"/></svg>
<script>document.body.innerHTML = "<h1>a</h1><h1>b</h1><h1>c</h1>";</script></body></html>"""


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "a page.html"
    path.write_text(PAGE, encoding="utf-8")
    return path


def has_engine() -> bool:
    """Whether the engine's libraries are here, asked where loading them harms no other test."""
    done = subprocess.run([sys.executable, "-c", "import PySide6.QtWebEngineCore"],
                          capture_output=True)
    return done.returncode == 0


def test_a_page_is_printed(page: Path, tmp_path: Path) -> None:
    if not has_engine():
        pytest.skip("Qt's web engine can't be loaded here")
    page_pdf.print_pdf(page, tmp_path / "out.pdf")
    from PySide6.QtPdf import QPdfDocument

    document = QPdfDocument()
    document.load(str(tmp_path / "out.pdf"))
    assert document.pageCount() == 2  # no script was run
    assert "One" in document.getAllText(0).text() and "Two" in document.getAllText(1).text()
    size = document.pagePointSize(0)
    assert (size.width(), size.height()) == pytest.approx((595, 842), abs=1.5)  # A4
    document.close()
    assert {p.name for p in tmp_path.iterdir()} == {"a page.html", "out.pdf"}


def test_who_stops_it_has_nothing(page: Path, tmp_path: Path) -> None:
    page_pdf.print_pdf(page, tmp_path / "out.pdf", lambda: True)
    assert {p.name for p in tmp_path.iterdir()} == {"a page.html"}


@pytest.mark.parametrize(("program", "reason"), [
    ("import sys; print('libnss3.so: no such file', file=sys.stderr); sys.exit(4)",
     "needs Qt's web engine.*libnss3"), ("import sys; sys.exit(3)", "could not be printed")])
def test_without_the_engine_the_way_round_is_told(
    program: str, reason: str, page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = subprocess.Popen
    monkeypatch.setattr(page_pdf.subprocess, "Popen",
                        lambda asked, **how: real([asked[0], "-c", program], **how))
    with pytest.raises(UserError, match=reason) as told:
        page_pdf.print_pdf(page, tmp_path / "out.pdf")
    assert "browser" in told.value.hint
    assert not (tmp_path / "out.pdf").exists()
