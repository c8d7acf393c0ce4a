"""Milliseconds until the answer to four inputs and what each added are painted, warm.

    python tests/benchmarks/contributions_on_screen.py [--samples 30] [--fusion concat ...]

In a real window, on the sample project with its picture twice, its text and its sound, after one
epoch: each round shows another test sample that has all four, and the clock runs until its answer
and its contributions, exact Shapley values over all 16 subsets, are on the screen. Beside it the
same for a check box `Use NAME` that is clicked. Under Xvfb where there is no screen.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

from drop_to_answer import WARM_UP, open_window, report, wait
from virtual_screen import screen

EXPERIMENT = """
[data]
table = "metadata.csv"
split = "split"
[inputs.image]
column = "file_name"
modality = "image"
[inputs."second image"]
column = "file_name"
modality = "image"
[inputs.words]
column = "text"
modality = "text"
[inputs.sound]
column = "audio"
modality = "audio"
[fusion]
name = "NAME"
[targets.digit]
[targets.language]
"""
INPUTS = 4


def watch_paint(app: object, bars: list[object]) -> dict[object, float]:
    """When each of the bars was painted last; filled while the app runs."""
    from PySide6.QtCore import QEvent, QObject

    painted: dict[object, float] = {}

    class Watch(QObject):
        def eventFilter(self, watched: QObject, event: QEvent) -> bool:
            if event.type() == QEvent.Type.Paint:
                painted[watched] = time.perf_counter()
            return False

    painted_by = Watch(app)
    for widget in bars:
        widget.installEventFilter(painted_by)
    return painted


def timed(app: object, page: object, act: object, present: int) -> float:
    """Milliseconds from an act to the painted answer of so many inputs, contributions included."""
    bars = [card.contributions.bars for card in page.answers.cards.values()]
    answers: list[int] = []
    heard = page._testing.predicted.connect(lambda answer: answers.append(len(answer.present)))
    scores: list[float] = []
    seen = page.answers.painted.connect(
        lambda: scores.append(time.perf_counter()) if present in answers else None)
    painted = watch_paint(app, bars)
    began = time.perf_counter()
    act()
    wait(app, lambda: bool(scores) and all(
        bar.isVisible() and (painted.get(bar, 0.0) > began or bar.visibleRegion().isEmpty())
        for bar in bars))
    page._testing.predicted.disconnect(heard)
    page.answers.painted.disconnect(seen)
    return 1000 * (max(scores[0], *painted.values()) - began)


def run(samples: int, fusion: str, folder: Path) -> None:
    """Train, show, print."""
    from PySide6.QtWidgets import QCheckBox

    from mmstudio.data.demo import write_demo

    project = write_demo(folder / f"sample {fusion}").parent
    (project / "experiment.toml").write_text(EXPERIMENT.replace("NAME", fusion), encoding="utf-8")
    app, window, page = open_window(project)
    shown: list[float] = []
    while len(shown) < samples + WARM_UP:
        sample = page._testing.next_sample()
        if sample is None or None in sample[1].values():
            continue
        page.clear()
        app.processEvents()
        inputs = sample[1]
        shown.append(timed(app, page, lambda now=inputs: page.board.show_sample(now), INPUTS))
    box = page.findChild(QCheckBox, "Use words")
    clicked = [timed(app, page, box.click, INPUTS - 1 if box.isChecked() else INPUTS)
               for _ in range(samples + WARM_UP)]
    print(f"{f'ms to screen, {fusion}':34}{'median':>10}{'95 %':>10}{'max':>10}")
    report("answer and contributions, 4 inputs", shown[WARM_UP:])
    report("check box", clicked[WARM_UP:])
    window.session.shutdown()
    window.close()
    app.processEvents()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=30)
    parser.add_argument("--fusion", nargs="+", default=["concat"])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place, screen():
        folder = Path(place)
        os.environ["MMSTUDIO_CONFIG"] = str(folder / "config")
        os.environ["MMSTUDIO_CACHE"] = str(folder / "cache")
        for fusion in options.fusion:
            run(options.samples, fusion, folder)


if __name__ == "__main__":
    main()
