"""The window's menus: projects, the look, help."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, QUrl, Signal
from PySide6.QtGui import QAction, QActionGroup, QDesktopServices, QKeySequence
from PySide6.QtWidgets import QMainWindow, QMenu, QMessageBox

from mmstudio.gui import style
from mmstudio.gui.pages.listed import LISTED, PAGES
from mmstudio.gui.settings import NOTIFY, STAY_AWAKE, Settings
from mmstudio.gui.state.download_manager import DownloadManager
from mmstudio.gui.state.job_runner import JobRunner
from mmstudio.gui.state.project_opener import ProjectOpener
from mmstudio.gui.state.project_store import ProjectStore
from mmstudio.version import __version__

if TYPE_CHECKING:
    from mmstudio.gui.dialogs.guide_dialog import GuideDialog

FIRST_STEPS = "01-first-steps"
"""The page of the guide for somebody on the start page."""


class Menus(QObject):
    """Fills the window's menu bar; `file` is the menu that the header shows too.

    The signals ask the window: for a page by its name, for a new project or another one, for
    data to import, to put the project away, for the queue, for the guide. `switched` carries a
    switch's name and whether it is on.
    """

    page_asked = Signal(str)
    new_asked = Signal()
    open_asked = Signal()
    import_asked = Signal()
    close_asked = Signal()
    queue_asked = Signal()
    guide_asked = Signal()
    switched = Signal(str, bool)

    def __init__(
        self, window: QMainWindow, settings: Settings, jobs: JobRunner, project: ProjectStore,
        opener: ProjectOpener, models: DownloadManager,
    ) -> None:
        super().__init__(window)
        self._window, self._settings = window, settings
        self._jobs, self._project, self._opener = jobs, project, opener
        self._models = models
        self._guide: GuideDialog | None = None
        bar, keys = window.menuBar(), QKeySequence.StandardKey
        self.file = bar.addMenu(self.tr("&File"))
        self._fill_file()
        view = bar.addMenu(self.tr("&View"))
        self._themes = self._add_themes(view.addMenu(self.tr("Theme")))
        view.addSeparator()
        for index, page in enumerate(LISTED, 1):
            text = f"{page.title}\tCtrl+{index}"
            self._add(view, text, partial(self.page_asked.emit, page.name))
        view.addSeparator()
        self._needs_project.append(
            self._add(view, self.tr("Queue"), self.queue_asked.emit, "F9"))
        self._add_switches(bar.addMenu(self.tr("&Settings")))
        about = bar.addMenu(self.tr("&Help"))
        self._add(about, self.tr("User guide"), self.guide_asked.emit, keys.HelpContents)
        self._add(about, self.tr("Keyboard shortcuts"), self.show_shortcuts, "Ctrl+F1")
        self._add(about, self.tr("About Multimodal Studio"), self.show_about)

    def _fill_file(self) -> None:
        window, keys = self._window, QKeySequence.StandardKey
        sample = self._opener.open_sample
        self._add(self.file, self.tr("Open sample project"), sample)
        self._add(self.file, self.tr("New project …"), self.new_asked.emit, keys.New)
        self._add(self.file, self.tr("Open project …"), self.open_asked.emit, keys.Open)
        self._recent = self.file.addMenu(self.tr("Open recent"))
        self._recent.aboutToShow.connect(self._fill_recent)
        self.file.addSeparator()
        self._add(self.file, self.tr("Import data …"), self.import_asked.emit, "Ctrl+I")
        self._needs_project = [
            self._add(self.file, self.tr("Show project folder"), self._show_folder),
            self._add(self.file, self.tr("Close project"), self.close_asked.emit, "Ctrl+W"),
        ]
        self._add(self.file, self.tr("Decoded data …"), self.show_store)
        self._add(self.file, self.tr("Published models …"), self.show_models)
        self.file.addSeparator()
        self._add(self.file, self.tr("Quit"), window.close, keys.Quit)

        def tell() -> None:
            for action in self._needs_project:
                action.setEnabled(self._project.folder is not None)

        self._project.changed.connect(tell)
        tell()

    def _add_themes(self, menu: QMenu) -> dict[str, QAction]:
        group = QActionGroup(self)
        actions = {}
        for name, title in (
            ("system", self.tr("System")),
            ("light", self.tr("Light")),
            ("dark", self.tr("Dark")),
        ):
            action = self._add(menu, title, partial(self._set_theme, name))
            action.setCheckable(True)
            action.setChecked(style.theme() == name)
            group.addAction(action)
            actions[name] = action
        return actions

    def _add_switches(self, menu: QMenu) -> None:
        for key, text in (
            (NOTIFY, self.tr("Tell me when a long job ends")),
            (STAY_AWAKE, self.tr("Keep the computer awake while it trains")),
        ):
            action = QAction(text, self._window)
            action.setCheckable(True)
            action.setChecked(self._settings.is_on(key))
            action.toggled.connect(partial(self._switch, key))
            menu.addAction(action)

    def _switch(self, key: str, on: bool) -> None:
        self._settings.set(key, on)
        self.switched.emit(key, on)

    def _add(
        self,
        menu: QMenu,
        text: str,
        run: Callable[[], object],
        keys: QKeySequence.StandardKey | str | None = None,
    ) -> QAction:
        action = QAction(text, self._window)
        action.triggered.connect(lambda: run())
        if keys is not None:
            action.setShortcut(QKeySequence(keys))
        menu.addAction(action)
        return action

    def _fill_recent(self) -> None:
        self._recent.clear()
        projects = self._settings.recent()
        for project in projects:
            self._add(self._recent, project.name, partial(self._opener.open, project))
        if not projects:
            self._recent.addAction(self.tr("None yet")).setEnabled(False)

    def _show_folder(self) -> None:
        if self._project.folder is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._project.folder)))

    def show_store(self) -> None:
        """Show what decoded data takes, and let it be cleared."""
        from mmstudio.gui.dialogs.store_dialog import StoreDialog

        dialog = StoreDialog(self._jobs, self._window)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    def show_models(self) -> None:
        """Show where downloaded models are kept, what they take, and let them be removed."""
        from mmstudio.gui.dialogs.models_dialog import ModelsDialog

        dialog = ModelsDialog(self._jobs, self._models, self._window)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    # Theme, help ---------------------------------------------------------------------------

    def flip_theme(self) -> None:
        """Light instead of dark, or the other way round."""
        self._set_theme("light" if style.palette().dark else "dark")

    def _set_theme(self, name: str) -> None:
        style.set_theme(name)
        self._settings.set("theme", name)
        self._themes[name].setChecked(True)

    def show_about(self) -> None:
        """Say what this program is."""
        text = self.tr(
            "Version {0}\n\nA workbench for models that see, read and hear. Your data and your "
            "models stay on this computer."
        ).format(__version__)
        self._tell(self.tr("About Multimodal Studio"), "Multimodal Studio", text)

    def show_guide(self, page: str) -> None:
        """Open the user guide where it is about a page of the window, "" for the start page."""
        from mmstudio.gui.dialogs.guide_dialog import GuideDialog

        if self._guide is None:
            self._guide = GuideDialog(self._window)
        self._guide.show_page(PAGES[page].guide if page else FIRST_STEPS)
        self._guide.show()
        self._guide.raise_()
        self._guide.activateWindow()

    def show_shortcuts(self) -> None:
        """List the keys."""
        rows = [
            (f"Ctrl+1 … Ctrl+{len(LISTED)}", ", ".join(page.title for page in LISTED)),
            ("Ctrl+N", self.tr("New project")),
            ("Ctrl+O", self.tr("Open project")),
            ("Ctrl+I", self.tr("Import data")),
            ("Ctrl+W", self.tr("Close project")),
            ("Ctrl+F", self.tr("Data: search the samples")),
            ("F5, F6, F7", self.tr("Train: start, pause, stop")),
            ("Shift+F5, Shift+F7", self.tr("Train: add to the queue, stop after this epoch")),
            ("F9", self.tr("Queue")),
            ("N", self.tr("Test: next test sample")),
            ("Ctrl+V", self.tr("Test: take files, a picture or a text from the clipboard")),
            ("Esc", self.tr("Test: clear the sample; elsewhere: dismiss a message")),
            ("Enter, Del", self.tr("Runs: open, delete")),
            ("F1", self.tr("User guide, at the page on show")),
            ("Ctrl+F1", self.tr("This list")),
        ]
        cell = "<td style='padding:2px 20px 2px 0; white-space:nowrap'>"
        lines = "".join(
            f"<tr>{cell}<b>{keys}</b></td>{cell}{what}</td></tr>" for keys, what in rows
        )
        title = self.tr("Keyboard shortcuts")
        self._tell(title, title, f"<table>{lines}</table>")

    def _tell(self, title: str, heading: str, text: str) -> None:
        box = QMessageBox(self._window)
        box.setWindowTitle(title)
        box.setText(heading)
        box.setInformativeText(text)
        box.setIconPixmap(style.pixmap("mdi6.vector-combine", 48, "accent"))
        box.open()
