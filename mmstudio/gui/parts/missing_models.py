"""The note where something is to be trained whose published model is not on this computer yet."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from PySide6.QtWidgets import QAbstractButton, QFrame, QVBoxLayout, QWidget

from mmstudio.gui import style
from mmstudio.gui.parts.cards import label
from mmstudio.gui.parts.emptied import empty
from mmstudio.gui.parts.model_state import ModelStateView
from mmstudio.gui.state.download_manager import DownloadManager
from mmstudio.gui.state.heavy_work import HeavyWork
from mmstudio.gui.state.project_store import ProjectStore
from mmstudio.pretrained import published

if TYPE_CHECKING:
    from mmstudio.experiment import Experiment


class MissingModels(QFrame):
    """One line per missing model with the button that fetches it; hidden where none is missing.

    Args:
        models: Knows what is on this disk.
        project: Says when there is another experiment.
        heavy: While it runs nothing is shown.
        experiment: Says what would be trained from here, None where nothing would.
    """

    def __init__(
        self, models: DownloadManager, project: ProjectStore, heavy: HeavyWork,
        experiment: Callable[[], Experiment | None], parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._models, self._project, self._heavy = models, project, heavy
        self._experiment = experiment
        self._shown: list[tuple[str, str, str]] = []
        self._views: list[ModelStateView] = []
        self.setObjectName("Missing models")
        self.setAccessibleName("Missing models")
        style.mark(self, "notice")
        self._box = QVBoxLayout(self)
        self._box.setContentsMargins(14, 10, 14, 10)
        self._box.setSpacing(6)
        self._models.changed.connect(self.show_models)
        self._project.experiment_changed.connect(self.show_models)
        self._project.changed.connect(self.show_models)
        self._heavy.changed.connect(self.show_models)
        self.show_models()

    def look_first(self, pressed: QAbstractButton, start: Callable[[], Any]) -> None:
        """Call `start` where no model is missing, else lead to the first button that fetches one.

        Args:
            pressed: The button that asked for it; locked while the disk is looked at.
            start: Begins what needs the models; called at once where none is published.
        """
        models = self._models

        def looked() -> None:
            experiment = self._experiment()
            if experiment is None:
                return  # the project was closed meanwhile
            pressed.setEnabled(True)
            if not models.missing(experiment):
                start()
            else:
                for view in self._views:  # of a model that comes by pip it is hidden
                    if not view.download.isHidden():
                        view.download.setFocus()
                        break

        experiment = self._experiment()
        if experiment is not None and models.used(experiment):
            pressed.setEnabled(False)
            models.look(looked, experiment)
        else:
            start()

    def show_models(self) -> None:
        """Show the models that are missing now."""
        experiment = self._experiment()
        busy = self._heavy.running is not None
        missing = [] if busy or experiment is None else self._models.missing(experiment)
        if missing != self._shown:
            self._shown = missing
            self._fill()
        self.setVisible(bool(missing))

    def _fill(self) -> None:
        empty(self._box)
        self._views = []
        for name, model, kind in self._shown:
            title = published.title_of(model, kind)
            words = self.tr("“{0}” uses the published model {1}, which is not on this computer "
                            "yet. Training needs it.").format(name, title)
            self._box.addWidget(label(words, "section", wrap=True))
            view = ModelStateView(self._models, name)
            entry = published.entry_of(model, kind)
            view.show_model(model, kind, entry.download_bytes if entry is not None else 0)
            self._views.append(view)
            self._box.addWidget(view)
