"""The dialog that asks what a new project is called, where it goes and what data it uses."""

from __future__ import annotations

import re
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QDialog,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from mmstudio.gui.projects import free_folder, projects_dir
from mmstudio.gui.session import Session
from mmstudio.gui.widgets.cards import ElidedLabel, button, label

TABLE_FILTER = "*.csv *.tsv *.txt *.jsonl *.ndjson *.parquet"


class NewProjectDialog(QDialog):
    """Opened without blocking; makes the project through the session when it is accepted."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._named = False
        self.setWindowTitle(self.tr("New project"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setMinimumWidth(560)
        box = QVBoxLayout(self)
        box.setContentsMargins(24, 20, 24, 20)
        box.setSpacing(16)
        box.addWidget(label(self.tr("New project"), "title"))
        box.addWidget(
            label(
                self.tr(
                    "Choose a table (CSV, TSV, JSONL, Parquet) that names your pictures, sounds "
                    "and texts, or a folder with one sub-folder per class. Your files stay where "
                    "they are."
                ),
                "muted",
                wrap=True,
            )
        )
        box.addLayout(self._fields())
        row = QHBoxLayout()
        row.addStretch(1)
        cancel = button(self.tr("Cancel"), name="Cancel")
        cancel.clicked.connect(self.reject)
        self.create = button(self.tr("Create project"), mark="primary", name="Create project")
        self.create.setDefault(True)
        self.create.clicked.connect(self._make)
        row.addWidget(cancel)
        row.addWidget(self.create)
        box.addLayout(row)
        self._update()

    def _fields(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(8)
        grid.setColumnStretch(1, 1)
        self.source = self._line("Data")
        self.source.setPlaceholderText(self.tr("Can also be added later"))
        self.source.textChanged.connect(self._suggest_name)
        file = button(self.tr("Table …"), "mdi6.table", name="Choose table")
        file.clicked.connect(self._choose_file)
        folder = button(self.tr("Folder …"), "mdi6.folder-outline", name="Choose folder")
        folder.clicked.connect(self._choose_folder)
        grid.addWidget(label(self.tr("Data")), 0, 0)
        grid.addWidget(self.source, 0, 1)
        grid.addWidget(file, 0, 2)
        grid.addWidget(folder, 0, 3)
        self.name = self._line("Name")
        self.name.setText(self.tr("My project"))
        self.name.textEdited.connect(self._on_named)
        grid.addWidget(label(self.tr("Name")), 1, 0)
        grid.addWidget(self.name, 1, 1, 1, 3)
        self.place = self._line("Place")
        self.place.setText(str(projects_dir()))
        self.place.textChanged.connect(self._update)
        choose = button(self.tr("Change …"), "mdi6.folder-outline", name="Choose place")
        choose.clicked.connect(self._choose_place)
        grid.addWidget(label(self.tr("Place")), 2, 0)
        grid.addWidget(self.place, 2, 1, 1, 2)
        grid.addWidget(choose, 2, 3)
        self.result_line = ElidedLabel("", "small", mode=Qt.TextElideMode.ElideMiddle)
        grid.addWidget(self.result_line, 3, 1, 1, 3)
        return grid

    def _line(self, name: str) -> QLineEdit:
        line = QLineEdit()
        line.setAccessibleName(name)
        line.setObjectName(name)
        return line

    def _on_named(self) -> None:
        self._named = True
        self._update()

    def _suggest_name(self) -> None:
        text = self.source.text().strip()
        if text and not self._named:
            path = Path(text)
            generic = path.stem.lower() in {"metadata", "data", "table", "train", "labels"}
            name = path.parent.name if path.suffix and generic else path.stem
            self.name.setText(name.replace("_", " ").strip() or self.tr("My project"))
        self._update()

    def _folder(self) -> Path | None:
        name = re.sub(r'[<>:"/\\|?*\x00-\x1f]', " ", self.name.text()).strip(" .")
        place = self.place.text().strip()
        if not name or not place:
            return None
        return free_folder(Path(place).expanduser() / name)

    def _update(self) -> None:
        folder = self._folder()
        self.result_line.set_text(
            self.tr("Makes {0}").format(folder) if folder else self.tr("Give it a name.")
        )
        self.create.setEnabled(folder is not None)

    def _choose_file(self) -> None:
        choose_path(
            self, self.tr("Choose a table"), self.source.setText, tables=True, start=self._start()
        )

    def _choose_folder(self) -> None:
        choose_path(self, self.tr("Choose a folder"), self.source.setText, start=self._start())

    def _choose_place(self) -> None:
        choose_path(
            self, self.tr("Choose a place"), self.place.setText, start=self.place.text()
        )

    def _start(self) -> str:
        text = self.source.text().strip()
        return str(Path(text).parent) if text else str(Path.home())

    def _make(self) -> None:
        folder = self._folder()
        if folder is not None:
            text = self.source.text().strip()
            self._session.new_project(folder, Path(text).expanduser() if text else None)
            self.accept()


def choose_path(
    parent: QWidget, title: str, done: object, *, tables: bool = False, start: str = ""
) -> QFileDialog:
    """Ask for a folder, or for a table's file, without blocking.

    Args:
        parent: The window that asks.
        title: The dialog's title.
        done: Called with the chosen path as text.
        tables: Ask for a table's file instead of a folder.
        start: The folder to begin in.
    """
    dialog = QFileDialog(parent, title, start)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    if tables:
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.setNameFilters([
            QFileDialog.tr("Tables ({0})").format(TABLE_FILTER),
            QFileDialog.tr("All files (*)"),
        ])
    else:
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setOption(QFileDialog.Option.ShowDirsOnly, True)
    dialog.fileSelected.connect(done)
    dialog.open()
    return dialog
