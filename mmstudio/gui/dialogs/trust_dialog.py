"""The question whether a project's own program code may run."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtWidgets import QMessageBox, QWidget

from mmstudio.gui.plain_text import plain_box
from mmstudio.own_components import ComponentFile

MOST_NAMED = 8


def ask_trust(
    parent: QWidget, files: Sequence[ComponentFile], answered: Callable[[bool], None]
) -> QMessageBox:
    """Ask without blocking.

    Args:
        parent: The window that asks.
        files: What would be run.
        answered: Called with True where it may be.
    """
    box = plain_box(parent)
    box.setIcon(QMessageBox.Icon.Warning)
    box.setWindowTitle(box.tr("Components of this project"))
    names = [file.path.name for file in files]
    more = [box.tr("and {0} more").format(len(names) - MOST_NAMED)] if len(
        names) > MOST_NAMED else []
    box.setText(box.tr("This project brings program code of its own: {0}. Run it?").format(
        ", ".join([*names[:MOST_NAMED], *more])))
    box.setInformativeText(box.tr(
        "It can do all that you can do on this computer: read, change, send and delete your "
        "files. Allow it only if you know what it does, or trust who wrote it. You are asked "
        "once; a changed file is asked about again."))
    box.setDetailedText("\n\n".join(f"{file.path}\n\n{file.text}" for file in files))
    run = box.addButton(box.tr("Run it"), QMessageBox.ButtonRole.AcceptRole)
    leave = box.addButton(box.tr("Open without it"), QMessageBox.ButtonRole.RejectRole)
    box.setDefaultButton(leave)
    box.setEscapeButton(leave)

    def done() -> None:
        answered(box.clickedButton() is run)
        box.deleteLater()

    box.finished.connect(done)
    box.open()
    return box
