"""The right side of the Test page: the answers, or what is similar in the data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QStackedWidget, QVBoxLayout, QWidget

from mmstudio.gui.pages.testing.answers_column import AnswersColumn
from mmstudio.gui.pages.testing.similar_column import SimilarColumn
from mmstudio.gui.parts.view_switch import ViewSwitch
from mmstudio.gui.state.job_runner import JobRunner
from mmstudio.gui.state.predictor_store import PredictorStore
from mmstudio.gui.state.runs_store import RunsStore
from mmstudio.gui.state.similar import SimilarStore
from mmstudio.gui.state.training import TrainingController

if TYPE_CHECKING:
    from mmstudio.inference.predictor import Predictor

_LEAST_WIDTH, _MOST_WIDTH, _SHARE = 320, 480, 0.28


class TestSide(QWidget):
    """Two columns, one of them on show, with the switch between them."""

    __test__ = False  # its name makes pytest take it for a test

    def __init__(
        self, jobs: JobRunner, runs: RunsStore, training: TrainingController,
        testing: PredictorStore, similar: SimilarStore, parent: QWidget | None = None
    ) -> None:
        """Make both; the answers are shown."""
        super().__init__(parent)
        self._jobs, self._runs, self._training = jobs, runs, training
        self._testing, self._similar = testing, similar
        self.answers = AnswersColumn(self)
        self.similar = SimilarColumn(self._jobs, self._testing, self._similar, self)
        self.switch = ViewSwitch(self, (
            (self.tr("Answers"), self.tr("What the model says of the sample")),
            (self.tr("Find similar"), self.tr("What in the data is most similar to the sample")),
        ))
        self.switch.offer(True)
        self._stack = QStackedWidget(self)
        self._stack.addWidget(self.answers)
        self._stack.addWidget(self.similar)
        self.switch.chosen.connect(self._stack.setCurrentIndex)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(self.switch)
        layout.addWidget(self._stack, 1)
        self._testing.changed.connect(self._show_state)
        self._training.changed.connect(self._show_state)

    def _show_state(self) -> None:
        """Where the model still learns, say what its answers are of."""
        text = ""
        if self._testing.asks_run_in_training:
            combined = self._runs.history.combined if self._runs.history is not None else None
            text = (self.tr("Answers of the model so far; training continues.")
                    if combined is None or combined.trained
                    else self.tr("Answers of quick models; training continues."))
        self.answers.state.show_text(text)

    def show_model(self, predictor: Predictor) -> bool:
        """Another model is loaded; True where it learnt no answers and what is similar is shown."""
        self.similar.show_model()
        training = predictor.experiment.training
        alone = self._similar.possible and training.alignment_epochs >= training.epochs
        if alone:
            self.switch.choose(1)
        return alone

    def use_width_of(self, page_width: int) -> None:
        """Take the side's share of the page."""
        self.setFixedWidth(min(_MOST_WIDTH, max(_LEAST_WIDTH, int(page_width * _SHARE))))
