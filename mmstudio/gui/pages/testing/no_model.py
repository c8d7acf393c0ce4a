"""What the Test page shows while there is no model: why, and where to go."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from mmstudio.gui.parts.cards import EmptyState, button


class NoModel(EmptyState):
    """`page_asked` brings the page that helps."""

    page_asked = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        leave = button("", mark="primary", name="Leave")
        super().__init__("mdi6.flask-empty-outline", "", "", leave, parent)
        self._leave, self._page = leave, ""
        self._leave.clicked.connect(lambda: self.page_asked.emit(self._page))

    def show_loading(self) -> None:
        """A model is on its way."""
        self._show(self.tr("Loading the model …"), "")

    def show_no_project(self) -> None:
        """There is no data either."""
        self._show(self.tr("No project is open"),
                   self.tr("Open the sample project or your own data first."),
                   "Data", self.tr("Go to the Data page"))

    def show_learning(self, *, quick: bool) -> None:
        """A model is being trained; with `quick` models that answer sooner."""
        self._show(self.tr("The model is still learning"),
                   self.tr("As soon as it can answer, it answers here: quick models first.")
                   if quick
                   else self.tr("As soon as training ends, its best model answers here."),
                   "Train", self.tr("Go to the Train page"))

    def show_none_loaded(self) -> None:
        """There are models, and none is loaded."""
        self._show(self.tr("No model is loaded"),
                   self.tr("Choose one above, or open a run on the Runs page."),
                   "Runs", self.tr("Go to the Runs page"))

    def show_none_trained(self) -> None:
        """There are no models."""
        self._show(self.tr("There is no model yet"),
                   self.tr("Train one first: it takes one click. Then drop samples here."),
                   "Train", self.tr("Go to the Train page"))

    def _show(self, title: str, text: str, page: str = "", ask: str = "") -> None:
        self._page = page
        self.set_texts(title, text)
        self._leave.setText(ask)
        self._leave.setAccessibleName(ask)
        self._leave.setVisible(bool(ask))
