"""When a run's answers are weighed: before its first step, now and then, and at its end."""

from __future__ import annotations

import time
from collections.abc import Iterator

from mmstudio.data.prepare import Dataset
from mmstudio.training.answer_weights import combined_figures, shares_by_task, weigh
from mmstudio.training.answers_file import save_combination
from mmstudio.training.checkpoint import checkpoint_state, load_weights, save_weights
from mmstudio.training.events import Combined, without_nan
from mmstudio.training.run_folder import RunFolder
from mmstudio.training.step import Run

EVERY_S = 30.0
"""While a training goes on, the answers of a better model are weighed again, at most so often."""
MOST_SHARE = 0.1
"""Of the time since the last weighing that one may take."""


class Weighing:
    """Weighs the answers of the best model so far, and writes what the run answers with.

    Args:
        run: Its combination is weighed; without one nothing is done.
        dataset: With descriptions.
        files: The run's.
    """

    def __init__(self, run: Run, dataset: Dataset, files: RunFolder) -> None:
        self._run, self._dataset, self._files = run, dataset, files
        self._done = time.perf_counter()
        self._took_s = 0.0

    def first(self) -> Iterator[Combined]:
        """Before the first step: the quick models alone can answer."""
        if self._run.combination is not None:
            save_weights(self._run.model, self._files.best)
            yield self._weighed(trained=False)

    def now_and_then(self) -> Iterator[Combined]:
        """There is a better model: weigh it, unless the last time was a moment ago."""
        waited = time.perf_counter() - self._done
        if self._run.combination is not None and waited > max(EVERY_S, self._took_s / MOST_SHARE):
            yield self._weighed(trained=True)

    def last(self) -> Iterator[Combined]:
        """The training is over; from here on the model answers with the combination."""
        if self._run.combination is not None:
            yield self._weighed(trained=True)
            self._run.model.answer_with(self._run.combination)

    def _weighed(self, *, trained: bool) -> Combined:
        began = time.perf_counter()
        run, model, combination = self._run, self._run.model, self._run.combination
        if combination is None:
            raise ValueError("the run has no combination")
        own = {n: t.detach().clone() for n, t in checkpoint_state(model).items()}
        if trained:
            # into the parameters that the optimiser holds
            load_weights(model, self._files.best, run.device, in_place=True)
            if combination.heads is not None and run.watch is not None:
                combination.heads.load_state_dict(run.watch.best)
        try:
            weigh(combination, model, self._dataset, run.device, trained)
            figures = combined_figures(
                combination, model, self._dataset, run.device, run.weights)
        finally:
            model.load_state_dict(own, strict=False)
        save_combination(combination, self._files.answers)
        self._done = time.perf_counter()
        self._took_s = self._done - began
        return Combined(shares_by_task(combination, model.names), without_nan(figures), trained)
