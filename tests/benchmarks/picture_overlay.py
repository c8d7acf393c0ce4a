"""Milliseconds from an answer to the painted map over its picture, warm.

    python tests/benchmarks/picture_overlay.py [--samples 30] [--encoder cnn]

In a real window, on the sample project after one epoch, with *Why* on: each round shows another
test sample that has a picture, and the clock runs from the answer's arrival until what counted in
the picture lies over it on the screen. Beside it the same for the picture alone. Under Xvfb where
there is no screen. What the explanation's thread alone needs is told by ``explanations.py``.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

from contributions_on_screen import watch_paint
from drop_to_answer import WARM_UP, open_window, report, wait
from virtual_screen import screen


def timed(app: object, page: object, inputs: dict[str, object]) -> float:
    """Milliseconds from the answer to the painted map."""
    picture = page.board.cards["image"].picture
    answered: list[float] = []
    heard = page._testing.predicted.connect(lambda _: answered.append(time.perf_counter()))
    page.clear()
    wait(app, lambda: not any(page.board.values().values()))
    app.processEvents()
    answered.clear()
    painted = watch_paint(app, [picture])
    page.board.show_sample(inputs)
    mapped: list[float] = []

    def is_painted() -> bool:
        if picture._heat is None or not answered:
            return False
        if not mapped:
            mapped.append(time.perf_counter())
            painted.clear()
        return picture in painted

    wait(app, is_painted)
    page._testing.predicted.disconnect(heard)
    return 1000 * (painted[picture] - answered[-1])


def run(samples: int, encoder: str, folder: Path) -> None:
    """Train, show, print."""
    from mmstudio.data.demo import write_demo
    from mmstudio.experiment import Experiment

    project = write_demo(folder / "sample").parent
    path = project / "experiment.toml"
    experiment = Experiment.load(path)
    if encoder:
        experiment = experiment.replaced("inputs.image.encoder", {"name": encoder})
    experiment.replaced("training.combine", False).save(path)
    app, window, page = open_window(project)
    page.why.button.setChecked(True)
    print(f"{'ms, answer to map':24}{'median':>10}{'95 %':>10}{'max':>10}")
    for words, names in (("all inputs", None), ("picture alone", {"image"})):
        found: list[float] = []
        while len(found) < samples + WARM_UP:
            sample = page._testing.next_sample()
            if sample is None or sample[1].get("image") is None:
                continue
            found.append(timed(app, page, {
                name: value if names is None or name in names else None
                for name, value in sample[1].items()}))
        report(words, found[WARM_UP:])
    window.session.shutdown()
    window.close()
    app.processEvents()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=30)
    parser.add_argument("--encoder", default="", help="the picture's; the sample's own by default")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place, screen():
        folder = Path(place)
        os.environ["MMSTUDIO_CONFIG"] = str(folder / "config")
        os.environ["MMSTUDIO_CACHE"] = str(folder / "cache")
        run(options.samples, options.encoder, folder)


if __name__ == "__main__":
    main()
