"""How surely the inputs find each other, epoch by epoch, where a run aligns them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtWidgets import QWidget

from mmstudio.gui import style
from mmstudio.gui.plots.curve_plot import CurvePlot

if TYPE_CHECKING:
    from mmstudio.training.history import RunHistory

_LEGEND_LETTERS = 36
"""Of all curves' names together in the narrowest plot, besides their figures."""
_BOTH_WAYS = 2
"""Up to so many ordered pairs have a curve of their own; of more, each input has one."""


class RecallPlot(CurvePlot):
    """The plot `Recall`: the validation's, with chance as a dashed line."""

    def __init__(self, parent: QWidget | None = None) -> None:
        """Make it empty."""
        super().__init__("Recall", "", parent, percent=True)
        self.rank = 10
        self._legend.setSpacing(style.SPACE)  # one curve more than other plots have
        self.setToolTip(
            self.tr(
                "How often what belongs to a validation sample's input is among the nearest of "
                "another input; with three inputs or more, each one's mean over the others. "
                "Chance is what guessing would reach."
            )
        )
        self.set_title(self.tr("Recall"), percent=True)

    def fill(self, history: RunHistory) -> None:
        """Bring the curves up to the run."""
        told = history.last_epoch.alignment.get("retrieval", []) if history.last_epoch else []
        if not told:
            return
        self._choose_rank(min(int(one["candidates"]) for one in told))
        curves = self._curves(history)
        for series, (name, values) in enumerate(curves.items()):
            self.set_curve(name, self._short(name, len(curves)), history.epochs, values,
                           series=series)
        chance = [one[f"chance@{self.rank}"] for one in told]
        self.set_curve("chance", self.tr("chance"), history.epochs,
                       [float(np.mean(chance))] * len(history.epochs), series=len(curves),
                       dashed=True)

    def _curves(self, history: RunHistory) -> dict[str, list[float]]:
        """Per pair of inputs its recall, a value per epoch.

        Of three inputs or more each one's mean, over all pairs that it is in.
        """
        figure = f"recall@{self.rank}"
        each = {pair: kept[figure] for pair, kept in history.recall.items() if figure in kept}
        if len(each) <= _BOTH_WAYS:
            return {f"{a} → {b}": values for (a, b), values in each.items()}
        names = history.started.inputs if history.started is not None else []
        found = {name: [v for pair, v in each.items() if name in pair] for name in names}
        return {name: [float(x) for x in np.mean(values, axis=0)]
                for name, values in found.items() if values}

    def _choose_rank(self, candidates: int) -> None:
        """Among ten candidates the right one is always one of ten: there the first counts."""
        rank = 10 if candidates > 20 else 5 if candidates > 10 else 1
        if rank != self.rank:
            self.rank = rank
            self.remove_curves()
        self._show_title()

    def _show_title(self) -> None:
        if self.rank == 1:
            title = self.tr("Recall · the nearest is right, in %")
        else:
            title = self.tr("Recall · right among the {0} nearest, in %").format(self.rank)
        self.set_title(title, percent=True)

    def _short(self, name: str, among: int) -> str:
        longest = _LEGEND_LETTERS // max(1, among)
        return name if len(name) <= longest else name[: longest - 1] + "…"
