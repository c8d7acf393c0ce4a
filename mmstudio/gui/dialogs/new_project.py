"""The dialog for new data: what is proposed for it beside real samples, and where it goes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from mmstudio.errors import UserError
from mmstudio.gui.dialogs.proposal_view import ProposalView
from mmstudio.gui.parts.cards import ElidedLabel, button, label
from mmstudio.gui.parts.dropped import is_data
from mmstudio.gui.state.job_runner import JobRunner
from mmstudio.gui.state.job_slot import JobSlot
from mmstudio.gui.state.project_opener import ProjectOpener
from mmstudio.gui.state.project_store import ProjectStore
from mmstudio.project.places import free_folder, projects_dir

if TYPE_CHECKING:
    from mmstudio.project.proposal import Proposal

TABLE_FILTER = "*.csv *.tsv *.txt *.jsonl *.ndjson *.json *.parquet *.xlsx *.ods *.zip"
READ_DELAY_MS = 250
"""A path that is typed is read this long after the last key."""
NEW, HERE = "new", "here"


class NewProjectDialog(QDialog):
    """Opened without blocking; makes the project when it is accepted.

    Args:
        jobs: Reads the data.
        project: The open project, into which data is imported.
        opener: Makes the project.
        parent: The window.
        source: The data, where it was chosen or dropped already.
    """

    def __init__(
        self, jobs: JobRunner, project: ProjectStore, opener: ProjectOpener,
        parent: QWidget | None = None, source: Path | None = None
    ) -> None:
        super().__init__(parent)
        self._jobs, self._project, self._opener = jobs, project, opener
        self._named = False
        self._reading = JobSlot(jobs, jobs.scope)
        self._proposal: Proposal | None = None
        self._media_root: Path | None = None
        self._table_name: str | None = None
        self._read_timer = QTimer(self, singleShot=True, interval=READ_DELAY_MS)
        self._read_timer.timeout.connect(self._read)
        self.setWindowTitle(self.tr("New project") if source is None else self.tr("Import data"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setAcceptDrops(True)
        self.resize(1080, 720)
        box = QVBoxLayout(self)
        box.setContentsMargins(24, 18, 24, 18)
        box.setSpacing(12)
        box.addWidget(label(self.windowTitle(), "title"))
        box.addLayout(self._source_row())
        self.view = ProposalView(self._jobs)
        self.view.changed.connect(self._update)
        box.addWidget(self.view, 1)
        box.addLayout(self._fields())
        self._show_place()
        if source is not None:
            self.source.setText(str(source))
            self._read_timer.stop()
            self._read()

    # Parts ---------------------------------------------------------------------------------

    def _source_row(self) -> QHBoxLayout:
        row = QHBoxLayout()
        self.source = self._line("Data")
        self.source.setPlaceholderText(
            self.tr("A table (CSV, TSV, JSONL, Parquet) or a folder of files; can be added later")
        )
        self.source.textChanged.connect(self._on_source)
        file = button(self.tr("Table …"), "mdi6.table", name="Choose table")
        file.clicked.connect(self._choose_file)
        folder = button(self.tr("Folder …"), "mdi6.folder-outline", name="Choose folder")
        folder.clicked.connect(self._choose_folder)
        row.addWidget(label(self.tr("Data")))
        row.addWidget(self.source, 1)
        row.addWidget(file)
        row.addWidget(folder)
        self.where = button(
            self.tr("Where are the files? …"), "mdi6.folder-search-outline",
            name="Where are the files?")
        self.where.setToolTip(self.tr(
            "The table names files that are not near it: choose the folder that holds them"))
        self.where.clicked.connect(self._choose_media_root)
        self.where.hide()
        row.addWidget(self.where)
        self.table = QComboBox()
        self.table.setAccessibleName("Table")
        self.table.setObjectName("Table")
        self.table.setToolTip(self.tr("Which of the tables in this folder holds the samples"))
        self.table.activated.connect(self._choose_table)
        self.table.hide()
        row.addWidget(self.table)
        return row

    def _fields(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(6)
        grid.setColumnStretch(1, 2)
        grid.setColumnStretch(3, 3)
        self.into = QComboBox()
        self.into.setAccessibleName("Use it in")
        self.into.setObjectName("Use it in")
        self.into.addItem(self.tr("A new project"), NEW)
        project = self._project.folder
        if project is not None:
            self.into.addItem(self.tr("This project, “{0}”").format(project.name), HERE)
            if self._project.experiment is None:
                self.into.setCurrentIndex(1)
        self.into.currentIndexChanged.connect(self._show_place)
        self.into.setVisible(project is not None)
        self.name = self._line("Name")
        self.name.setText(self.tr("My project"))
        self.name.textEdited.connect(self._on_named)
        self.place = self._line("Place")
        self.place.setText(str(projects_dir()))
        self.place.textChanged.connect(self._update)
        self._choose = button(self.tr("Change …"), "mdi6.folder-outline", name="Choose place")
        self._choose.clicked.connect(self._choose_place)
        self._words = [label(self.tr("Name")), label(self.tr("Place"))]
        grid.addWidget(self.into, 0, 0, 1, 2)
        for column, widget in enumerate(
            (self._words[0], self.name, self._words[1], self.place, self._choose)
        ):
            grid.addWidget(widget, 1, column)
        grid.addLayout(self._buttons(), 2, 0, 1, 5)
        return grid

    def _buttons(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(8)
        self.result_line = ElidedLabel("", "small", mode=Qt.TextElideMode.ElideMiddle)
        row.addWidget(self.result_line, 1)
        cancel = button(self.tr("Cancel"), name="Cancel")
        cancel.setAutoDefault(False)
        cancel.clicked.connect(self.reject)
        self.create_button = button(
            self.tr("Create project"), mark="primary", name="Create project")
        self.create_button.setDefault(True)
        self.create_button.clicked.connect(self._make)
        row.addWidget(cancel)
        row.addWidget(self.create_button)
        return row

    def _line(self, name: str) -> QLineEdit:
        line = QLineEdit()
        line.setAccessibleName(name)
        line.setObjectName(name)
        return line

    # The data ------------------------------------------------------------------------------

    def _on_source(self) -> None:
        self._forget()
        self._media_root = self._table_name = None
        self.where.hide()
        self.table.hide()
        text = self.source.text().strip()
        if text and not self._named:
            self.name.setText(suggested_name(Path(text)) or self.tr("My project"))
        self.view.show_waiting("" if not text else self.tr("Reading {0} …").format(text))
        self._update()
        self._read_timer.start()

    def _forget(self) -> None:
        self._proposal = None
        self._reading.cancel()

    def _read(self) -> None:
        text = self.source.text().strip()
        if not text:
            return
        path, media_root, name = Path(text).expanduser(), self._media_root, self._table_name

        def work() -> tuple[list[str], Proposal | UserError]:
            from mmstudio.project.proposal import propose, tables_of

            tables = tables_of(path)
            try:
                return tables, propose(path, media_root, name)
            except UserError as error:
                return tables, error  # with the tables: another one may do

        self._reading.run(work, self._on_read, self._on_failed)
        self._update()

    def _on_read(self, found: tuple[list[str], Proposal | UserError]) -> None:
        tables, proposal = found
        self._show_tables(tables)
        if isinstance(proposal, UserError):
            self._on_failed(proposal.message, proposal.hint)
            return
        self._proposal = proposal
        self.view.show_proposal(proposal)
        self.where.setVisible(proposal.lost or self._media_root is not None)
        self._update()

    def _show_tables(self, tables: list[str]) -> None:
        """Ask which table it is, where there is a choice."""
        self.table.clear()
        self.table.addItem(self.tr("Tables: as found"), None)
        for name in tables:
            self.table.addItem(name, name)
        self.table.setCurrentIndex(max(0, self.table.findData(self._table_name)))
        self.table.setVisible(bool(tables))

    def _choose_table(self, index: int) -> None:
        self._forget()
        self._table_name = self.table.itemData(index)
        self.view.show_waiting(self.tr("Reading {0} …").format(self.table.itemText(index)))
        self._read()

    def _on_failed(self, message: str, hint: str) -> None:
        self.view.show_problem(message, hint)
        self._update()

    # The place -----------------------------------------------------------------------------

    def _on_named(self) -> None:
        self._named = True
        self._update()

    def _folder(self) -> Path | None:
        name = re.sub(r'[<>:"/\\|?*\x00-\x1f]', " ", self.name.text()).strip(" .")
        place = self.place.text().strip()
        if not name or not place:
            return None
        return free_folder(Path(place).expanduser() / name)

    def _here(self) -> bool:
        return bool(self.into.currentData() == HERE)

    def _show_place(self) -> None:
        for widget in (*self._words, self.name, self.place, self._choose):
            widget.setVisible(not self._here())
        text = self.tr("Use this data") if self._here() else self.tr("Create project")
        self.create_button.setText(text)
        self.create_button.setAccessibleName(text)
        self._update()

    def _update(self) -> None:
        source = bool(self.source.text().strip())
        folder = None if self._here() else self._folder()
        if self._here():
            text = self.tr("Its inputs and targets are set up again. Its runs stay as they are.")
        else:
            text = self.tr("Makes {0}").format(folder) if folder else self.tr("Give it a name.")
        self.result_line.set_text(text)
        ready = self._proposal is not None and self.view.is_complete() if source else (
            not self._here())
        self.create_button.setEnabled(ready and (self._here() or folder is not None))

    def _choose_file(self) -> None:
        choose_path(
            self, self.tr("Choose a table"), self.source.setText, tables=True, start=self._start()
        )

    def _choose_folder(self) -> None:
        choose_path(self, self.tr("Choose a folder"), self.source.setText, start=self._start())

    def _choose_media_root(self) -> None:
        choose_path(self, self.tr("Choose the folder of the files"), self.look_in,
                    start=self._start())

    def look_in(self, folder: str) -> None:
        """Look for the files that the table names below this folder."""
        self._forget()
        self._media_root = Path(folder)
        self.view.show_waiting(self.tr("Looking in {0} …").format(folder))
        self._read()

    def _choose_place(self) -> None:
        choose_path(
            self, self.tr("Choose a place"), self.place.setText, start=self.place.text()
        )

    def _start(self) -> str:
        text = self.source.text().strip()
        return str(Path(text).parent) if text else str(Path.home())

    # Ending --------------------------------------------------------------------------------

    def _make(self) -> None:
        proposal = self.view.proposal() if self._proposal is not None else None
        source = Path(self.source.text().strip()).expanduser() if proposal is not None else None
        folder = self._folder()
        if self._here() and source is not None:
            self._opener.import_data(source, proposal)
        elif folder is not None:
            self._opener.make(folder, source, proposal)
        self.accept()

    def done(self, result: int) -> None:
        """Leave the reading off."""
        self._read_timer.stop()
        self._forget()
        super().done(result)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take other data."""
        if is_data(event.mimeData()) or event.mimeData().text().endswith(".txt"):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Show what is proposed for it."""
        event.acceptProposedAction()
        self.source.setText(event.mimeData().urls()[0].toLocalFile())


def suggested_name(source: Path) -> str:
    """What a project on this data may be called."""
    generic = source.stem.lower() in {"metadata", "data", "table", "train", "labels"}
    name = source.parent.name if source.suffix and generic else source.stem
    return name.replace("_", " ").strip()


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
            dialog.tr("Tables ({0})").format(TABLE_FILTER),
            dialog.tr("All files (*)"),
        ])
    else:
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setOption(QFileDialog.Option.ShowDirsOnly, True)
    dialog.fileSelected.connect(done)
    dialog.open()
    return dialog
