"""A model card's figures: with intervals, per subset of the inputs, and whether to trust them."""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

from mmstudio.data.prepare import Progress
from mmstudio.errors import UserError
from mmstudio.evaluation.details import calibration_dict, figures_dict
from mmstudio.evaluation.plain_figures import from_plain
from mmstudio.evaluation.scores import Scores, kept_scores, scored
from mmstudio.inference.calibrated import read_calibration
from mmstudio.inference.evaluation import Evaluation
from mmstudio.reading import reading
from mmstudio.tasks.kinds import metric_named
from mmstudio.training.run_folder import RunFolder


def card_figures(run: Path) -> Generator[Progress, None, str]:
    """The figures as Markdown.

    Those of the test rows where they were asked for before, as an export is no look at them; else
    those of the validation rows, by which the best weights were chosen. Where the data is gone, of
    the latter what the run's log tells.

    Args:
        run: The run folder.

    Yields:
        Progress.
    """
    files = RunFolder.existing(run)
    try:
        found = kept_scores(run, "test")
        if found is None:
            found = yield from scored(run, "validation", None, "cpu")
        with reading(run / "evaluation", "Delete this folder."):
            evaluation = from_plain(found.told)
    except UserError:
        return _logged(files)
    return _markdown(files, found, evaluation)


def _markdown(files: RunFolder, scores: Scores, evaluation: Evaluation) -> str:
    about = (f"Of {evaluation.samples:,} {scores.split} rows"
             + (", by which the best weights were chosen, so they are a little too good"
                if scores.split == "validation" else "")
             + "; the truth lies in the intervals in 95 of 100 cases.")
    lines = [about, "", "| target | figure | value | 95 % interval |", "|---|---|---|---|"]
    for name, figures in evaluation.tasks.items():
        intervals = figures_dict(scores, name).get("interval", {})
        lines += [f"| `{name}` | {metric_named(f).title} | {value:.3f} "
                  f"| {_interval(intervals.get(f))} |" for f, value in figures.items()
                  if math.isfinite(value)]
    lines += _subsets(evaluation.inputs and evaluation.inputs.subsets, evaluation.main_figures)
    lines += _confidence(files, scores)
    return "\n".join(lines)


def _interval(ends: Any) -> str:
    if ends is None or not all(map(math.isfinite, ends)):
        return ""
    return f"{ends[0]:.3f} to {ends[1]:.3f}"


def _subsets(subsets: Any, main: Mapping[str, str]) -> list[str]:
    """The main figures of every subset of the inputs."""
    if not subsets or not main or len(subsets) < 2:
        return []
    head = " | ".join(f"{task}: {metric_named(f).title}" for task, f in main.items())
    lines = ["", f"| inputs | {head} | rows |", "|---" * (len(main) + 2) + "|"]
    for one in subsets:
        values = [(one["tasks"].get(task) or {}).get(f) for task, f in main.items()]
        told = " | ".join("" if v is None or not math.isfinite(v) else f"{v:.3f}" for v in values)
        lines.append(f"| {' + '.join(one['inputs'])} | {told} | {one['samples']:,} |")
    return lines


def _confidence(files: RunFolder, scores: Scores) -> list[str]:
    """How far confidence is off, where other rows than those can tell."""
    calibration = read_calibration(files, scores.inputs)
    if calibration is None or scores.split == "validation":
        return []
    lines = []
    for name in scores.tasks:
        told = calibration_dict(scores, name, calibration, most=1)
        error = told.get("expected_calibration_error")
        if error is not None:
            lines.append(
                f"- `{name}`: confidence and share of right answers lie {100 * error['after']:.1f} "
                f"points apart (expected calibration error), {100 * error['before']:.1f} before "
                "the calibration")
    return ["", *lines] if lines else []


def _logged(files: RunFolder) -> str:
    """What the log tells: no intervals, as the rows are gone."""
    history = files.history()
    lines = ["Of the validation rows, by which the best weights were chosen; intervals take the "
             "data, which could not be read.", ""]
    for task, figures in history.answered().items():
        told = ", ".join(f"{figure} {value:.3f}" for figure, value in figures.items()
                         if figure != "loss")
        lines.append(f"- `{task}`: {told}")
    scored = history.inputs_scored
    main = history.started.tasks if history.started is not None else {}
    return "\n".join([*lines, *_subsets(scored and scored.subsets, main)])
