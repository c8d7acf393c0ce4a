"""The window: the rail, the header, the banner for problems, and the pages."""

from __future__ import annotations

import base64
from pathlib import Path

from PySide6.QtCore import QByteArray, QEvent, QPoint, QRect, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QCloseEvent,
    QDragEnterEvent,
    QDropEvent,
    QKeySequence,
    QResizeEvent,
    QShortcut,
)
from PySide6.QtWidgets import (
    QApplication,
    QHBoxLayout,
    QMainWindow,
    QMessageBox,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from mmstudio.gui import style
from mmstudio.gui.dialogs.new_project import TABLE_FILTER, NewProjectDialog, choose_path
from mmstudio.gui.dialogs.trust_dialog import ask_trust
from mmstudio.gui.menus import Menus
from mmstudio.gui.pages.listed import LISTED, PAGES
from mmstudio.gui.pages.start.page import StartPage
from mmstudio.gui.parts.banner import Banner
from mmstudio.gui.parts.header import Header
from mmstudio.gui.parts.offers import InterruptedNote, WaitingNote
from mmstudio.gui.parts.queue_panel import QueuePanel
from mmstudio.gui.parts.rail import Rail
from mmstudio.gui.plain_text import plain_box
from mmstudio.gui.settings import Settings
from mmstudio.gui.state.heavy_work import QUEUE
from mmstudio.gui.state.session import Session
from mmstudio.own_components import ComponentFile
from mmstudio.project.places import projects_dir

APP_NAME = "Multimodal Studio"
FIRST_SIZE = QSize(1280, 800)
TITLE_BAR, FRAME = 40, 8
"""What the window's frame takes at the top and at the other sides; known only once it stands."""

def first_place(screen: QRect) -> QRect:
    """Where the window stands at the first start: its usual size, or what of it fits, centred.

    Args:
        screen: What of the screen is free.
    """
    free = screen.adjusted(FRAME, TITLE_BAR, -FRAME, -FRAME)
    place = QRect(QPoint(), FIRST_SIZE.boundedTo(free.size()))
    place.moveCenter(free.center())
    return place


class MainWindow(QMainWindow):
    """The app's one window.

    `stood` is sent once, when it was painted for the first time; `prepared` when the light pages
    are made.
    """

    stood = Signal()
    prepared = Signal()
    banner: Banner
    queue_panel: QueuePanel

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.settings = Settings()
        self._pages: dict[str, QWidget] = {}
        self._stood = False
        self._closing = self._closed = self._ending = False
        self._asking: QMessageBox | None = None
        self.setAcceptDrops(True)
        self.setMinimumSize(960, 600)
        self.setWindowIcon(style.icon("mdi6.vector-combine", "accent"))
        self.menus = Menus(
            self, self.settings, session.jobs, session.project, session.opener, session.models)
        self._connect_menus()
        self._make_body()
        self._make_shortcuts()
        session.project.changed.connect(self._on_project)
        session.jobs.problem.connect(self.banner.show_problem)
        session.opener.trust_asked.connect(self._ask_trust)
        session.runs.opened.connect(self._on_run_opened)
        self._restore_place()
        self._show_title()
        self.rail.set_available(False)
        self.go_to("")

    # Pages ---------------------------------------------------------------------------------

    def page(self, name: str) -> QWidget:
        """A page by its name; it is made when it is first asked for."""
        if name not in self._pages:
            page = PAGES[name].make(self.session, self)
            self._pages[name] = page
            self.stack.addWidget(page)
        return self._pages[name]

    def prepare_pages(self) -> None:
        """Make the pages that need no heavy library, one at a time, so that they open at once."""
        missing = [e.name for e in LISTED if e.light and e.name not in self._pages]
        if missing and not self._closed:
            self.page(missing[0])
            QTimer.singleShot(0, self.prepare_pages)
        else:
            self.prepared.emit()

    def go_to(self, name: str) -> None:
        """Show a page by its name, "" for the start page."""
        if not name or self.session.project.folder is None:
            self.start.refresh()
            self.stack.setCurrentWidget(self.start)
            self.rail.show_current("")
        else:
            self.stack.setCurrentWidget(self.page(name))
            self.rail.show_current(name)
        # From here Tab goes through the page's own controls, in their order.
        shown = self.stack.currentWidget()
        if shown is not None:
            shown.setFocus(Qt.FocusReason.OtherFocusReason)

    def _go_to_training(self) -> None:
        running = self.session.heavy.running
        if running is QUEUE:
            self.show_queue()
        else:
            self.go_to("Train" if running is None else running.page)

    def show_queue(self, shown: bool = True) -> None:
        """Show the queue's panel, or put it away; there is one where a project is open."""
        self.queue_panel.show_panel(shown and self.session.project.folder is not None)

    @property
    def current_page(self) -> str:
        """The name of the page on show, "" for the start page."""
        shown = self.stack.currentWidget()
        return next((name for name, page in self._pages.items() if page is shown), "")

    # The window ----------------------------------------------------------------------------

    def _make_body(self) -> None:
        body = QWidget()
        row = QHBoxLayout(body)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        self.rail = Rail(
            [
                (page.name, page.title, page.icon, f"{page.title} (Ctrl+{i})")
                for i, page in enumerate(LISTED, 1)
            ]
        )
        self.rail.chosen.connect(self.go_to)
        row.addWidget(self.rail)
        column = QVBoxLayout()
        column.setSpacing(0)
        row.addLayout(column, 1)
        session = self.session
        self.header = Header(
            session.project, session.opener, session.libraries, session.check, session.runs,
            session.training, session.comparing, session.searching, session.queue,
            self.menus.file)
        self.header.training_clicked.connect(self._go_to_training)
        self.header.queue_clicked.connect(lambda: self.show_queue(self.queue_panel.isHidden()))
        self.header.theme_clicked.connect(self.menus.flip_theme)
        column.addWidget(self.header)
        self.banner = Banner()
        margin = QVBoxLayout()
        margin.setContentsMargins(24, 8, 24, 0)
        margin.setSpacing(style.SPACE)
        margin.addWidget(self.banner)
        self.interrupted_note = InterruptedNote(session.interrupted)
        self.interrupted_note.resume.clicked.connect(self._resume_interrupted)
        self.waiting_note = WaitingNote(session.queue)
        self.waiting_note.start.clicked.connect(lambda: self.show_queue())
        for note in (self.interrupted_note, self.waiting_note):
            margin.addWidget(note)
        column.addLayout(margin)
        self.stack = QStackedWidget()
        column.addWidget(self.stack, 1)
        self.start = StartPage(session.opener, self.settings)
        self.start.new_asked.connect(self.ask_new)
        self.start.open_asked.connect(self.ask_open)
        self.stack.addWidget(self.start)
        self.setCentralWidget(body)
        self.queue_panel = QueuePanel(session.queue, body)
        self.queue_panel.shown.connect(self.header.queue.setChecked)

    def _connect_menus(self) -> None:
        menus = self.menus
        menus.page_asked.connect(self.go_to)
        menus.new_asked.connect(self.ask_new)
        menus.open_asked.connect(self.ask_open)
        menus.import_asked.connect(self.ask_import)
        menus.close_asked.connect(self.close_project)
        menus.queue_asked.connect(lambda: self.show_queue(self.queue_panel.isHidden()))
        menus.guide_asked.connect(lambda: menus.show_guide(self.current_page))

    def _make_shortcuts(self) -> None:
        for index, name in enumerate(PAGES, 1):
            shortcut = QShortcut(QKeySequence(f"Ctrl+{index}"), self)
            shortcut.activated.connect(lambda page=name: self.go_to(page))
        escape = QShortcut(QKeySequence("Esc"), self)
        escape.activated.connect(self._dismiss)

    def _dismiss(self) -> None:
        if self.queue_panel.isVisible():
            self.show_queue(False)
        else:
            self.banner.hide()

    def go_to_run(self, run: Path) -> None:
        """Show a run on the Runs page, selected."""
        from mmstudio.gui.pages.runs.page import RunsPage

        self.go_to("Runs")
        page = self.page("Runs")
        if isinstance(page, RunsPage):
            page.select_run(run)

    def go_to_sample(self, row: int) -> None:
        """Show a row of the table on the Test page."""
        from mmstudio.gui.pages.testing.page import TestPage

        self.go_to("Test")
        page = self.page("Test")
        if isinstance(page, TestPage):
            page.show_row(row)

    # Projects ------------------------------------------------------------------------------

    def ask_new(self) -> None:
        """Ask for a new project's data, name and place."""
        self._new_project_dialog().open()

    def ask_open(self) -> None:
        """Ask for a project folder and open it."""
        open_now = self.session.project.folder
        place = projects_dir() if open_now is None else open_now.parent
        choose_path(
            self, self.tr("Open project"), self.session.opener.open, start=str(place)
        )

    def ask_import(self, kind: str = "table") -> None:
        """Ask for a table (or a folder, where `kind` says so) and import it."""
        choose_path(
            self,
            self.tr("Import data"),
            self.import_data,
            tables=kind != "folder",
            start=str(Path.home()),
        )

    def import_data(self, path: str | Path) -> None:
        """Show what is proposed for data, and import it when that is accepted."""
        self._new_project_dialog(Path(path)).open()

    def _new_project_dialog(self, source: Path | None = None) -> NewProjectDialog:
        session = self.session
        return NewProjectDialog(session.jobs, session.project, session.opener, self, source)

    def _resume_interrupted(self) -> None:
        """One run goes on here, several one after another in the queue."""
        runs = self.session.interrupted.runs
        if len(runs) == 1:
            self.session.training.resume(runs[0])
            self.go_to("Train")
        elif runs:
            self.session.queue.resume_runs([run.name for run in runs])
            self.show_queue()

    def close_project(self) -> None:
        """Back to the start page."""
        if self.session.opener.close():
            self.go_to("")

    def _on_project(self, project: Path | None) -> None:
        self._show_title()
        self.rail.set_available(project is not None)
        self.banner.hide()
        if project is None:
            self.show_queue(False)
            self.go_to("")
            return
        if self.session.project.experiment is not None:
            self.settings.add_recent(project)
        if self.current_page == "":
            self.go_to("Data")

    def _show_title(self) -> None:
        project = self.session.project.folder
        self.setWindowTitle(f"{project.name} — {APP_NAME}" if project else APP_NAME)

    def _on_run_opened(self) -> None:
        if self.session.runs.shown is not None and self.current_page == "Runs":
            self.go_to("Train")

    # Events --------------------------------------------------------------------------------

    def event(self, event: QEvent) -> bool:
        """Tell once that the window stands; who comes back may have trained elsewhere."""
        done = super().event(event)
        if event.type() == QEvent.Type.UpdateRequest and not self._stood:
            self._stood = True
            QTimer.singleShot(0, self.stood.emit)
        if event.type() == QEvent.Type.WindowActivate and self._stood and not self._closed:
            self.session.project.look_again()
            self.session.runs.look_again()
            self.session.queue.refresh()
        return done

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the queue's panel at the edge."""
        super().resizeEvent(event)
        self.queue_panel.place()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take a project folder, a table or a folder of files."""
        if self._dropped(event) is not None:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Open the project, or import the data."""
        path = self._dropped(event)
        if path is None:
            return
        event.acceptProposedAction()
        if (path / "experiment.toml").is_file() or path.name == "experiment.toml":
            self.session.opener.open(path)
        else:
            self.import_data(path)

    def _dropped(self, event: QDropEvent | QDragEnterEvent) -> Path | None:
        urls = event.mimeData().urls() if event.mimeData().hasUrls() else []
        if len(urls) != 1 or not urls[0].isLocalFile():
            return None
        path = Path(urls[0].toLocalFile())
        if QApplication.activeModalWidget() is not None:
            return None  # what is asked there comes first
        tables = TABLE_FILTER.replace("*", "").split()
        if path.is_dir() or path.suffix.lower() in tables or path.name == "experiment.toml":
            return path
        return None

    def _ask_trust(self, files: list[ComponentFile]) -> None:
        ask_trust(self, files, lambda yes: self.session.opener.allow(files, yes))

    def closeEvent(self, event: QCloseEvent) -> None:
        """Ask while a model is trained, then stop and keep it."""
        if self.session.heavy.running is not None and not self._closing:
            event.ignore()
            self._ask_stop()
            return
        place = base64.b64encode(bytes(self.saveGeometry().data())).decode()
        self.settings.set("geometry", place)
        self._closed = True
        self.session.shutdown()
        event.accept()
        if self._ending:
            QApplication.exit()  # whatever other windows are open

    def end(self) -> None:
        """Close without a question, after what is being trained was stopped and kept."""
        self._ending = True
        if self._asking is not None:
            self._asking.reject()
        self._close_after_training()

    def _ask_stop(self) -> None:
        running = self.session.heavy.running
        if self._asking is not None or running is None:
            return
        box = plain_box(self)
        box.setWindowTitle(self.tr("Close the window"))
        box.setText(f"{running.now} " + self.tr("Stop it and close?"))
        box.setInformativeText(running.after)
        stop = box.addButton(self.tr("Stop and close"), QMessageBox.ButtonRole.AcceptRole)
        keep = box.addButton(self.tr("Keep training"), QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(keep)

        def done() -> None:
            self._asking = None
            if box.clickedButton() is stop:
                self._close_after_training()

        box.finished.connect(done)
        self._asking = box
        box.open()

    def _close_after_training(self) -> None:
        heavy = self.session.heavy
        self.session.queue.forgo()  # what follows goes on at the next start
        if heavy.running is None:
            self.close()
            return
        heavy.changed.connect(self._close_now)
        heavy.stop()

    def _close_now(self) -> None:
        self._closing = True
        # After the session has put the run away: the signal comes from the middle of that.
        QTimer.singleShot(0, self.close)

    def _restore_place(self) -> None:
        self.setGeometry(first_place(self.screen().availableGeometry()))
        stored = self.settings.text("geometry")
        if stored:
            self.restoreGeometry(QByteArray(base64.b64decode(stored)))
