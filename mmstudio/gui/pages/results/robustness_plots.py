"""How a figure falls as one input gets worse, and which inputs the answers come from meanwhile."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from PySide6.QtWidgets import QHBoxLayout, QWidget

from mmstudio.evaluation.robustness_curves import Curve, Robustness, strength_text
from mmstudio.gui.plots.xy_plot import XYPlot
from mmstudio.tasks.kinds import metric_named

LEFT = -0.3
"""Where the lower axis begins, steps: the first step's words need room."""


class RobustnessPlots(QWidget):
    """Two plots beside each other: all ways of one input, and the shares under one of them."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.figures = XYPlot("Figure by strength", self.tr("The figure"), self)
        self.shares = XYPlot("Shares by strength", self.tr("Who answers"), self)
        self._is_empty = True
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(12)
        row.addWidget(self.figures, 1)
        row.addWidget(self.shares, 1)

    def empty(self) -> None:
        """Show nothing."""
        if not self._is_empty:  # so that a plot is made only once there is something to draw
            self.figures.empty()
            self.shares.empty()
        self._is_empty = True

    def show_curve(
        self, result: Robustness, other: Robustness | None, curve: Curve, target: str
    ) -> None:
        """Show a curve among those of its input.

        Args:
            result: What it is of.
            other: Another run's, drawn dashed.
            curve: The one.
            target: Whose figure.
        """
        self._is_empty = False
        if other is not None and target not in other.main_figures:
            other = None
        self._show_figures(result, other, curve.input, target)
        self._show_shares(result, other, curve, target)

    def _show_figures(
        self, result: Robustness, other: Robustness | None, name: str, target: str
    ) -> None:
        plot, metric = self.figures, metric_named(result.main_figures[target])
        plot.empty()
        steps = max(len(c.points) for c in result.curves if c.input == name)
        span = (LEFT, float(max(steps, 1)))
        if metric.share:
            plot.set_axes(self.tr("Strength"), "", span, (0, 1))
        else:
            plot.set_axes(self.tr("Strength"), "")
        plot.set_steps([self.tr("as it is"), *map(str, range(1, steps + 1))])
        legend, words = [], []
        for at, curve in enumerate(c for c in result.curves if c.input == name):
            legend.append((curve.corruption, at))
            for run in (result, other):
                its = None if run is None else run.curve(name, curve.corruption)
                if run is None or its is None:
                    continue
                values = [p.figures[target] for p in (run.clean, *its.points)]
                plot.set_line(f"{run is other} {curve.corruption}", np.arange(len(values)),
                              np.array(values), at, dashed=run is other)
                who = f"{Path(run.run).name}, " if run is other else ""
                words.append(f"{who}{curve.corruption}: {', '.join(map(metric.text, values))}.")
        plot.show_legend(legend)
        title = self.tr("{figure} as {input} gets worse").format(figure=metric.title, input=name)
        if other is not None:
            title += self.tr("; dashed: {run}").format(run=Path(other.run).name)
        plot.show_words(title, " ".join(words))

    def _show_shares(
        self, result: Robustness, other: Robustness | None, curve: Curve, target: str
    ) -> None:
        plot = self.shares
        plot.empty()
        plot.set_axes(self.tr("{way}, {unit}").format(way=curve.corruption, unit=curve.unit), "",
                      (LEFT, float(max(len(curve.points), 1))), (0, 1))
        plot.set_steps([self.tr("as it is"), *(_bare(p.strength, curve.unit)
                                               for p in curve.points)])
        same = None if other is None else other.curve(curve.input, curve.corruption)
        legend, words = [], []
        for at, name in enumerate(result.clean.shares.get(target, {})):
            values = [p.shares[target][name] for p in (result.clean, *curve.points)]
            plot.set_line(name, np.arange(len(values)), np.array(values), at)
            legend.append((name, at))
            words.append(f"{name}: {', '.join(f'{100 * v:.0f} %' for v in values)}.")
            if other is not None and same is not None:
                others = [p.shares.get(target, {}).get(name, math.nan)
                          for p in (other.clean, *same.points)]
                plot.set_line(f"other {name}", np.arange(len(others)), np.array(others), at,
                              dashed=True)
        plot.show_legend(legend)
        plot.show_words(self._over(result, curve, target, bool(legend)), " ".join(words))

    def _over(self, result: Robustness, curve: Curve, target: str, known: bool) -> str:
        """Where another input takes over, which a dot marks, in words."""
        if not known:
            return self.tr("not known of more than six inputs")
        over = curve.taken_over(target, result.clean)
        if over is None:
            return self.tr("{input} keeps the largest share").format(input=curve.input)
        step, name = over
        if step == 0:
            return self.tr("{other} counts more than {input} even as it is").format(
                other=name, input=curve.input)
        point = curve.points[step - 1]
        self.shares.set_dot("over", step, point.shares[target][name])
        return self.tr("{other} takes over at {strength}").format(
            other=name, strength=strength_text(point.strength, curve.unit))


def _bare(strength: float, unit: str) -> str:
    """A strength without its unit, which stands beside the axis."""
    return strength_text(strength, unit).removesuffix(unit).strip()
