"""A run's report: data, settings, curves, figures, what each input brings, and its mistakes."""

from __future__ import annotations

import base64
import html
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmstudio.comparison.report import STYLE as COMMON_STYLE
from mmstudio.data.prepare import Progress
from mmstudio.errors import UserError
from mmstudio.evaluation.report import Evaluated, evaluated
from mmstudio.experiment import Experiment
from mmstudio.report.mistakes import Mistake, mistakes_of
from mmstudio.report.svg import curves, matrix, outline
from mmstudio.safe_files import write_whole
from mmstudio.tasks.kinds import metric_named
from mmstudio.training.history import RunHistory
from mmstudio.training.run_folder import RunFolder

STYLE = COMMON_STYLE + """
figure { margin: 0; } figcaption { font-size: 13px; }
.plots { display: flex; flex-wrap: wrap; gap: 24px; }
svg .tick { fill: var(--muted); font-size: 11px; } svg polyline { fill: none; stroke-width: 2; }
svg .line0 { stroke: var(--accent); } svg .line1 { stroke: var(--other); }
svg .line2 { stroke: var(--third); } .key0 { color: var(--accent); } .key1 { color: var(--other); }
.key2 { color: var(--third); } figcaption span::before { content: "● "; }
figcaption span { margin-right: 14px; }
svg rect.hit { fill: var(--accent); } svg rect.miss { fill: var(--third); }
svg rect { stroke: var(--line); } svg .cell { fill: var(--text); font-size: 11px; }
svg .cell.over { fill: var(--ground); } svg .wave { stroke: var(--other); stroke-width: 1; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(260px, 1fr)); gap: 12px; }
.card { border: 1px solid var(--line); border-radius: 10px; padding: 12px; break-inside: avoid; }
.table table { width: auto; min-width: 420px; }
th, td { padding-right: 20px; } .card img { height: 96px; max-width: 100%; object-fit: contain; }
.card p { margin: 4px 0;
  overflow-wrap: anywhere; } details { margin: 12px 0; } pre { overflow-x: auto; }
h3 { font-size: 15px; margin: 18px 0 6px; }
@media print { body { margin: 0; max-width: none; }
  h2, h3, h3 + .muted { break-after: avoid; } tr, svg, .plots > div { break-inside: avoid; }
  pre { white-space: pre-wrap; overflow-wrap: anywhere; }
  details::details-content { content-visibility: visible; height: auto; } }
"""
"""Of the page; the colours are those of a comparison's report."""
MOST_WORDS = 240
MOST_SLICES = 8


@dataclass(frozen=True)
class Report:
    """The page, as text."""

    page: str


def report_of(run: Path, split: str = "test", device: str = "auto") -> Iterator[Progress | Report]:
    """Write up a run.

    Its figures are those of ``mmstudio evaluate --inputs``; asking for the test rows is noted as
    a look at them.

    Args:
        run: The run folder, in a project's ``runs``.
        split: Whose rows the figures and the mistakes are of.
        device: As in ``training.device``.

    Yields:
        Progress, last the report.

    Raises:
        UserError: No such run or split, or no row with a label.
    """
    files = RunFolder.existing(run)
    found: Evaluated | None = None
    for step in evaluated(run, split, None, device, inputs=True):
        if isinstance(step, Evaluated):
            found = step
        else:
            yield step
    if found is None:
        raise UserError(f"{run} could not be evaluated.", "'mmstudio evaluate' says why.")
    yield Progress("Writing the report", 0, 1)
    folder = files.path.resolve().parent.parent
    yield Report(_page(files, files.experiment(), files.history(), found, folder))


def write_report(path: Path, report: Report) -> Path:
    """Write the page; its path, with ``.html`` where that was left out. Raises OSError."""
    page = path if path.suffix.lower() in (".html", ".htm") else path.with_name(f"{path.name}.html")
    write_whole(page, report.page)
    return page


def _page(
    files: RunFolder, experiment: Experiment, history: RunHistory, found: Evaluated, folder: Path
) -> str:
    head = html.escape(f"{folder.name}: {files.name}")
    parts = [
        "<!doctype html>", '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{head}</title><style>{STYLE}</style></head><body>", f"<h1>{head}</h1>",
        f'<p class="muted">{html.escape(_about(experiment, history))}</p>',
        _summary(found), *[f'<p class="muted">{html.escape(w)}</p>' for w in found.warnings()],
        "<h2>Training</h2>", _plots(history)]
    for name in found.scores.tasks:
        parts += _task(name, found, experiment, folder)
    parts += [_inputs(found), "<h2>Settings</h2>", _settings(experiment), "</body></html>", ""]
    return "\n".join(part for part in parts if part)


def _about(experiment: Experiment, history: RunHistory) -> str:
    inputs = ", ".join(f"{name} ({i.encoder.name})"
                       for name, i in experiment.active_inputs.items())
    text = f"Inputs: {inputs}. Fusion: {experiment.fusion.name}. Data: {experiment.data.table}."
    started = history.started
    if started is None:
        return text
    rows = ", ".join(f"{count:,} {split}" for split, count in started.samples.items())
    text += f" Rows: {rows}. Trained on {started.device} in {started.precision}"
    finished = history.finished
    if finished is None:
        return f"{text}; the training did not end."
    return (f"{text}, {finished.epochs} epochs in {finished.seconds / 60:.1f} minutes, "
            f"{finished.reason.replace('_', ' ')}; the weights are those of epoch "
            f"{finished.best_epoch}.")


def _summary(found: Evaluated) -> str:
    """Each target's main figure with its interval, as the first thing to be read."""
    lines = []
    for name, figure in found.evaluation.main_figures.items():
        value = found.evaluation.tasks[name].get(figure, math.nan)
        interval = found.details[name].get("interval", {}).get(figure)
        text = f"{name}: {_words(figure)} {_number(value)}"
        if interval is not None and math.isfinite(interval[0]):
            text += f" ({_number(interval[0])} to {_number(interval[1])} in 95 of 100 cases)"
        lines.append(f"<strong>{html.escape(text)}</strong>")
    rows = f"On {found.evaluation.samples:,} rows of {found.evaluation.source}."
    return f'<div class="verdict">{"".join(lines)}{html.escape(rows)}</div>'


def _plots(history: RunHistory) -> str:
    epochs = history.epochs
    drawn = [curves({"training": history.train_loss, "validation": history.validation_loss},
                    epochs, "Loss", "epoch")]
    titles = ["Loss"]
    main = history.started.tasks if history.started is not None else {}
    for task, figure in main.items():
        sides = history.metrics.get(task, {}).get(figure, {})
        drawn.append(curves({"training": sides.get("train", []),
                             "validation": sides.get("validation", [])},
                            epochs, f"{task} {_words(figure)}", "epoch"))
        titles.append(f"{task}: {_words(figure)}")
    shown = [f"<div><h3>{html.escape(title)}</h3>{plot}</div>"
             for title, plot in zip(titles, drawn, strict=True) if plot]
    return f'<div class="plots">{"".join(shown)}</div>' if shown else (
        "<p>There are too few epochs for curves.</p>")


def _task(name: str, found: Evaluated, experiment: Experiment, folder: Path) -> list[str]:
    told, figures = found.details[name], found.evaluation.tasks[name]
    parts = [f"<h2>{html.escape(name)}</h2>", _figures(figures, told.get("interval", {}))]
    confusion = told.get("confusion", {})
    counts = confusion.get("counts")
    if counts and not isinstance(counts[0][0], list):
        drawn = matrix(counts, confusion["labels"], f"Confusion of {name}")
        if drawn:
            parts += ["<h3>What is taken for what</h3>",
                      '<p class="muted">A row per true label, a column per answer.</p>',
                      f'<div class="table">{drawn}</div>']
    if told.get("per_class"):
        parts += ["<h3>Label by label</h3>", _classes(told["per_class"])]
    parts += [_trust(told.get("calibration", {})), _slices(told.get("slices", []))]
    worst = mistakes_of(found.scores, name, experiment, folder)
    if worst:
        parts += ["<h3>Where it is most wrong</h3>", '<div class="cards">',
                  *map(_card, worst), "</div>"]
    return parts


def _figures(figures: Mapping[str, float], intervals: Mapping[str, Sequence[float]]) -> str:
    rows = []
    for figure, value in figures.items():
        low, high = intervals.get(figure, (math.nan, math.nan))
        ends = f"{_number(low)} to {_number(high)}" if math.isfinite(low) else ""
        rows.append([_words(figure), _number(value), ends])
    return _table(["figure", "value", "95 % interval"], rows)


def _classes(per_class: Mapping[str, Mapping[str, Any]]) -> str:
    rows = [[label, *(_number(one[f]) for f in ("precision", "recall", "f1")),
             " to ".join(_number(end) for end in one["interval"]["f1"]), f"{one['support']:,}"]
            for label, one in per_class.items()]
    return _table(["label", "precision", "recall", "F1", "95 % of F1", "rows"], rows)


def _trust(calibration: Mapping[str, Any]) -> str:
    subsets = [one for one in calibration.get("subsets", ())
               if "expected_calibration_error" in one]
    if not subsets:
        return ""
    rows = []
    for one in subsets:
        error = one["expected_calibration_error"]
        rows.append([", ".join(one["inputs"]), *(f"{100 * error[s]:.1f} points"
                                                 for s in ("before", "after")),
                     f"{one['temperature']:.2f}", f"{one['rows']:,}"])
    return ("<h3>Can its confidence be trusted?</h3>"
            '<p class="muted">How far confidence and share of right answers lie apart (expected '
            "calibration error), as trained and as it answers, calibrated on the validation "
            "rows.</p>" + _table(["inputs", "as trained", "calibrated", "temperature", "rows"],
                                 rows))


def _slices(slices: Sequence[Mapping[str, Any]]) -> str:
    if not slices:
        return ""
    rows = [[", ".join(f"{k}: {v}" for k, v in one["conditions"].items()),
             f"{one['errors']} of {one['rows']}", f"{100 * one['others']:.0f} %",
             f"{one['p_value']:.2g}"] for one in slices[:MOST_SLICES]]
    return "<h3>Where it is worse than elsewhere, beyond chance</h3>" + _table(
        ["rows with", "wrong", "elsewhere", "p"], rows)


def _inputs(found: Evaluated) -> str:
    worth = found.evaluation.inputs
    if worth is None or len(found.scores.inputs) < 2:
        return ""
    main = found.evaluation.main_figures
    rows = []
    for subset in worth.subsets:
        tasks = [_number(subset["tasks"].get(t, {}).get(f, math.nan)) for t, f in main.items()]
        rows.append([" + ".join(subset["inputs"]), *tasks, f"{subset['samples']:,}"])
    titles = [f"{task}: {_words(figure)}" for task, figure in main.items()]
    return ("<h2>What each input brings</h2>"
            '<p class="muted">The same model, asked with fewer inputs.</p>'
            + _table(["inputs", *titles, "rows"], rows))


def _card(one: Mistake) -> str:
    contents = []
    for name, content in one.contents.items():
        shown = ""
        if content.picture:
            data = base64.b64encode(content.picture).decode()
            shown = f'<img alt="{html.escape(name)}" src="data:image/jpeg;base64,{data}">'
        elif content.outline:
            shown = outline(content.outline)
        else:
            words = content.words[:MOST_WORDS] + ("…" if len(content.words) > MOST_WORDS else "")
            shown = html.escape(words)
        contents.append(f"<p>{shown}</p>")
    sure = "" if math.isnan(one.confidence) else f", {100 * one.confidence:.0f} % sure"
    said = f"<p><b>{html.escape(one.answer)}</b>{sure}; it is <b>{html.escape(one.truth)}</b></p>"
    alone = "; ".join(f"{name} alone: {answer}" for name, answer in one.alone.items())
    return (f'<div class="card">{"".join(contents)}{said}'
            f'<p class="muted">{html.escape(alone)}</p>'
            f'<p class="muted">row {html.escape(one.row)}</p></div>')


def _settings(experiment: Experiment) -> str:
    text = html.escape(experiment.seen_from(Path()).to_toml())
    return f"<details><summary>The whole experiment</summary><pre>{text}</pre></details>"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def cells(row: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(
            f'<{tag}{" class=number" if i else ""}>{html.escape(cell)}</{tag}>'
            for i, cell in enumerate(row)) + "</tr>"

    return ('<div class="table"><table>' + cells(head, "th")
            + "".join(cells(row, "td") for row in rows) + "</table></div>")


def _words(figure: str) -> str:
    return metric_named(figure).title


def _number(value: float) -> str:
    return "–" if value is None or not math.isfinite(value) else f"{value:.3f}"
