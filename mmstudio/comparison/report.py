"""A comparison as files to pass on: a web page that needs nothing else, and a table."""

from __future__ import annotations

import csv
import html
import io
from pathlib import Path

from mmstudio.comparison.folder import ComparisonFolder
from mmstudio.comparison.ranking import Ranking, Standing, tied_with_best
from mmstudio.comparison.verdict import rows_text, too_few
from mmstudio.data.formulas import guarded
from mmstudio.safe_files import write_whole
from mmstudio.training.looks import looks_sentence
from mmstudio.units import duration_text, plain_number, size_text

BAR_WIDTH = 220
BAR_HEIGHT = 22

STYLE = """
:root { color-scheme: light dark; --ground: #ffffff; --text: #1b1e27; --muted: #5b6172;
  --line: #dfe2ea; --accent: #4b53d6; --soft: #e9eafb; --other: #14897d;
  --third: #c2410c; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #14161c; --text: #eceef4; --muted: #a4abbd; --line: #323746;
    --accent: #8f96ff; --soft: #2a2d52; --other: #41c7b8; --third: #f59e5b; } }
body { background: var(--ground); color: var(--text); font: 15px/1.5 system-ui, sans-serif;
  max-width: 1240px; margin: 40px auto; padding: 0 24px; }
h1 { font-size: 22px; margin: 0 0 4px; } h2 { font-size: 17px; margin: 32px 0 8px; }
.muted { color: var(--muted); } .table { overflow-x: auto; }
.verdict { background: var(--soft); border-radius: 10px; padding: 16px 20px; margin: 20px 0; }
.verdict strong { font-size: 19px; display: block; margin-bottom: 4px; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: 7px 8px 7px 0; border-bottom: 1px solid var(--line);
  white-space: nowrap; }
th { color: var(--muted); font-weight: 600; } td.number, th.number { text-align: right; }
tr.best td { font-weight: 600; }
svg .axis { stroke: var(--line); stroke-width: 1; }
svg .whisker { stroke: var(--accent); stroke-width: 2; } svg .mean { fill: var(--accent); }
svg .input .whisker { stroke: var(--other); } svg .input .mean { fill: var(--other); }
svg .combination .whisker { stroke: var(--third); } svg .combination .mean { fill: var(--third); }
.verdict p { margin: 4px 0 0; }
"""


def write_report(folder: ComparisonFolder, ranking: Ranking) -> None:
    """Write ``report.html`` and ``ranking.csv`` into the comparison's folder."""
    folder.write_text(folder.report, report_html(ranking))
    folder.write_text(folder.table, ranking_csv(ranking))


def save_report(ranking: Ranking, path: Path) -> tuple[Path, Path]:
    """Write the report anywhere, and the table of the same name beside it; both paths."""
    page = path if path.suffix.lower() in (".html", ".htm") else path.with_name(f"{path.name}.html")
    table = page.with_suffix(".csv")
    write_whole(page, report_html(ranking))
    write_whole(table, ranking_csv(ranking))
    return page, table


def ranking_csv(ranking: Ranking) -> str:
    """A row per contestant; the figures as people read them, errors without their sign."""
    figure = ranking.figure
    name = figure.name if not figure.is_share else f"{figure.name}_percent"
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([
        "rank", "method", "kind", "title", name, "interval_low", "interval_high",
        "difference_to_best", "difference_low", "difference_high", "tied_with_best",
        f"validation_{name}", "runs", "rows", "epochs", "seconds_per_epoch", "seconds",
        "parameters", "bytes"])
    for rank, standing in enumerate(ranking.standings, start=1):
        ends = sorted((figure.value(standing.score.low), figure.value(standing.score.high)))
        writer.writerow([
            rank, guarded(standing.contestant.name), standing.contestant.kind,
            guarded(standing.contestant.title),
            _exact(figure.value(standing.score.mean)), *map(_exact, ends),
            *_difference_cells(ranking, standing), "yes" if standing.tied else "no",
            _exact(figure.value(standing.validation)), standing.runs, ranking.rows,
            _exact(standing.epochs), _exact(standing.seconds_per_epoch),
            _exact(standing.seconds), standing.parameters, standing.bytes])
    return text.getvalue()


def report_html(ranking: Ranking) -> str:
    """One file without script; it follows the reader's light or dark."""
    verdict = ranking.verdict
    head = html.escape(f"{ranking.name}: which fusion of the inputs is best?")
    parts = [
        "<!doctype html>", '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{head}</title><style>{STYLE}</style></head><body>", f"<h1>{head}</h1>",
        f'<p class="muted">{html.escape(about(ranking))}</p>',
    ]
    if verdict is not None:
        parts.append(f'<div class="verdict"><strong>{html.escape(verdict.sentence)}</strong>'
                     f"{html.escape(verdict.ground)}")
        if verdict.together:
            parts.append(f"<p>{html.escape(verdict.together)}</p>")
        parts.append("</div>")
    parts += ["<h2>Ranking</h2>", '<div class="table"><table>', _head_row(ranking)]
    parts += [_row(ranking, rank, s) for rank, s in enumerate(ranking.standings, start=1)]
    parts += ["</table></div>", f"<p>{html.escape(tied_sentence(ranking))}</p>",
              f'<p class="muted">{html.escape(how_to_read(ranking))}</p>']
    if ranking.failures:
        parts.append("<h2>Could not be trained</h2><ul>")
        parts += [f"<li>{html.escape(f'{f.run}: {f.message} {f.hint}'.strip())}</li>"
                  for f in ranking.failures]
        parts.append("</ul>")
    return "\n".join([*parts, "</body></html>", ""])


def about(ranking: Ranking) -> str:
    """What was compared on what: "digit: accuracy on 300 test rows, 3 trainings of each"."""
    seeds = f"{ranking.seeds} training{'s' if ranking.seeds > 1 else ''} of each"
    rows = rows_text(ranking.rows, ranking.split, ranking.groups, ranking.group)
    text = f"{ranking.target}: {ranking.figure.title.lower()} on {rows}, {seeds}"
    return text if ranking.is_complete else (
        f"{text}; {ranking.done} of {ranking.total} are done")


def tied_sentence(ranking: Ranking) -> str:
    """Who can't be told from the best."""
    best = next((s for s in ranking.standings if s.contestant.key == ranking.best), None)
    if best is None:
        return "Nothing is ranked yet."
    if too_few(ranking.groups):
        return (f"Best by the validation rows: {best.contestant.title}; so few groups "
                "don't separate any two of them.")
    tied = [s.contestant.title for s in tied_with_best(ranking)]
    others = (f"can't be distinguished from it: {', '.join(tied)}" if tied
              else "every other one differs from it by more than chance")
    return f"Best by the validation rows: {best.contestant.title}; {others}."


def how_to_read(ranking: Ranking) -> str:
    """What the intervals are."""
    what = "rows" if ranking.groups is None else "groups of rows"
    text = (f"Figures are means over {ranking.split} rows and seeds. The 95 % intervals come from "
            f"resampling {what} 2,000 times, widened for few {what} and seeds; a difference is "
            "taken on the same resampled rows, and those to the best are wide enough for all of "
            "them together (Holm). Sizes and times are means over the seeds.")
    return f"{text} {looks_sentence(ranking.looks)}".strip()


def scale_of(ranking: Ranking) -> tuple[float, float]:
    """The scores between which all intervals lie, with some air."""
    low = min((s.score.low for s in ranking.standings), default=0.0)
    high = max((s.score.high for s in ranking.standings), default=1.0)
    air = 0.04 * (high - low) or 0.01
    return low - air, high + air


def difference_text(ranking: Ranking, standing: Standing) -> str:
    """Such as "−1.2 (−2.5 to +0.1)"; "best" for the best one."""
    figure, difference = ranking.figure, standing.difference
    if difference is None:
        return "best"
    return (f"{figure.signed(difference.mean)} ({figure.signed(difference.low)} to "
            f"{figure.signed(difference.high)})")


def interval_words(ranking: Ranking, standing: Standing) -> str:
    """Such as "96.1 to 98.0", in the figure's own way, the lower number first."""
    figure = ranking.figure
    ends = sorted((figure.value(standing.score.low), figure.value(standing.score.high)))
    words = [f"{e:.1f}" if figure.is_share else plain_number(e) for e in ends]
    return " to ".join(words)


def _head_row(ranking: Ranking) -> str:
    cells = [("", ""), ("Method", ""), (ranking.figure.title, "number"),
             ("95 % interval", "number"), ("", ""), ("Against the best", "number"),
             ("Time per epoch", "number"), ("Training", "number"), ("Parameters", "number"),
             ("Size", "number"), ("Runs", "number")]
    return "<tr>" + "".join(
        f'<th class="{cls}">{html.escape(text)}</th>' for text, cls in cells) + "</tr>"


def _row(ranking: Ranking, rank: int, standing: Standing) -> str:
    best = standing.contestant.key == ranking.best
    cells = [
        ranking.figure.text(standing.score.mean), interval_words(ranking, standing), None,
        difference_text(ranking, standing), duration_text(standing.seconds_per_epoch),
        duration_text(standing.seconds), f"{standing.parameters:,}",
        size_text(standing.bytes, compared=True),
        f"{standing.runs} of {ranking.seeds}",
    ]
    shown = "".join(
        f"<td>{_bar(ranking, standing)}</td>" if cell is None
        else f'<td class="number">{html.escape(cell)}</td>' for cell in cells)
    title = html.escape(standing.contestant.title)
    return f'<tr class="{"best" if best else ""}"><td>{rank}</td><td>{title}</td>{shown}</tr>'


def _bar(ranking: Ranking, standing: Standing) -> str:
    low, high = scale_of(ranking)

    def x(score: float) -> float:
        return round(BAR_WIDTH * (score - low) / (high - low), 1)

    score, middle = standing.score, BAR_HEIGHT / 2
    label = html.escape(f"{standing.contestant.title}: {interval_words(ranking, standing)}")
    return (
        f'<svg width="{BAR_WIDTH}" height="{BAR_HEIGHT}" role="img" aria-label="{label}">'
        f'<g class="{standing.contestant.kind}">'
        f'<line class="axis" x1="0" x2="{BAR_WIDTH}" y1="{middle}" y2="{middle}"/>'
        f'<line class="whisker" x1="{x(score.low)}" x2="{x(score.high)}" y1="{middle}" '
        f'y2="{middle}"/><circle class="mean" cx="{x(score.mean)}" cy="{middle}" r="4"/></g></svg>')


def _difference_cells(ranking: Ranking, standing: Standing) -> list[str]:
    """More is better here too, so an error's difference keeps its sign."""
    factor = 100.0 if ranking.figure.is_share else 1.0
    difference = standing.difference
    if difference is None:
        return ["", "", ""]
    return [_exact(factor * v) for v in (difference.mean, difference.low, difference.high)]


def _exact(value: float) -> str:
    return f"{value:.6g}"
