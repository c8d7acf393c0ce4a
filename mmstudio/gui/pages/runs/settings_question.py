"""The question whether a run's settings may take the place of the project's."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QMessageBox, QWidget

from mmstudio.gui.plain_text import plain_box
from mmstudio.gui.state.run_again import Offer

MOST_NAMED = 6


def ask_to_use(parent: QWidget, offer: Offer, use: Callable[[Offer], None]) -> QMessageBox:
    """Ask without blocking; `use` is called where it may be."""
    box = plain_box(parent)
    if offer.goes_on:
        box.setWindowTitle(box.tr("Continue from this model"))
        box.setText(box.tr("Start the next training with the weights of “{0}”?").format(
            offer.run.name))
        yes = box.addButton(box.tr("Continue from it"), QMessageBox.ButtonRole.AcceptRole)
        told = [box.tr("The project gets its encoders and its fusion; data, labels and training "
                       "settings stay as they are. Labels that the model knows keep what it has "
                       "learnt of them, new ones are added.")]
    else:
        box.setWindowTitle(box.tr("Train again"))
        box.setText(box.tr("Put the settings of “{0}” into the project?").format(offer.run.name))
        yes = box.addButton(box.tr("Use these settings"), QMessageBox.ButtonRole.AcceptRole)
        told = [box.tr("The run was trained on other data, which is opened too.")
                ] if offer.other_data else []
    told.append(_changes(box, offer))
    box.setInformativeText(" ".join(told))
    if len(offer.changes) > MOST_NAMED:
        box.setDetailedText("\n".join(offer.changes))
    box.setDefaultButton(yes)
    box.setEscapeButton(box.addButton(QMessageBox.StandardButton.Cancel))

    def done() -> None:
        if box.clickedButton() is yes:
            use(offer)
        box.deleteLater()

    box.finished.connect(done)
    box.open()
    return box


def _changes(box: QMessageBox, offer: Offer) -> str:
    """Which of the project's settings change."""
    if not offer.changes:
        return box.tr("The project has the same settings already.")
    named = ", ".join(offer.changes[:MOST_NAMED])
    more = len(offer.changes) - MOST_NAMED
    if more > 0:
        return box.tr("These settings of the project change: {0} and {1} more.").format(
            named, more)
    return box.tr("These settings of the project change: {0}.").format(named)
