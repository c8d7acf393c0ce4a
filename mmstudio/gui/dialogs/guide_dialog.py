"""The user guide: the Markdown files of ``resources/guide``, to read, search and follow."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from PySide6.QtCore import QUrl, Signal
from PySide6.QtGui import (
    QDesktopServices,
    QKeySequence,
    QShortcut,
    QTextBlock,
    QTextBlockFormat,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
    QTextFormat,
    QTextFrameFormat,
    QTextTable,
)
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from mmstudio.gui import style
from mmstudio.gui.overriding import override
from mmstudio.gui.parts.cards import label
from mmstudio.paths import resources_dir

WIDTH, HEIGHT = 1000, 720
HEADINGS = {1: 1.6, 2: 1.25}
"""How much larger than the text a heading of a level is; 1.1 for those below."""


@dataclass(frozen=True)
class GuidePage:
    """One page: its file, the title in its first line, and its text as Markdown."""

    path: Path
    title: str
    text: str


@cache
def guide_pages() -> tuple[GuidePage, ...]:
    """All pages in the order of their numbers."""
    pages = []
    for path in sorted((resources_dir() / "guide").glob("*.md")):
        text = path.read_text(encoding="utf-8")
        pages.append(GuidePage(path, text.partition("\n")[0].lstrip("# "), text))
    return tuple(pages)


class GuideDialog(QDialog):
    """The window `User guide`; it stays open beside the app while a person works."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("User guide")
        self.setWindowTitle(self.tr("User guide"))
        self.resize(WIDTH, HEIGHT)
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 16, 16, 16)
        row.setSpacing(2 * style.SPACE)
        side = QVBoxLayout()
        side.setSpacing(style.SPACE)
        row.addLayout(side)
        self.words = QLineEdit()
        self.words.setAccessibleName("Search the guide")
        self.words.setPlaceholderText(self.tr("Search the guide"))
        self.words.setClearButtonEnabled(True)
        self.words.textChanged.connect(self._search)
        self.words.returnPressed.connect(self._next_match)
        side.addWidget(self.words)
        self.contents = QListWidget()
        self.contents.setAccessibleName("Guide pages")
        self.contents.setFixedWidth(210)
        self.contents.currentRowChanged.connect(self._show_row)
        side.addWidget(self.contents, 1)
        self.count = label("", "small")
        self.count.setAccessibleName("Pages found")
        side.addWidget(self.count)
        self.browser = Reader()
        self.browser.setAccessibleName("Guide text")
        self.browser.page_asked.connect(self._follow)
        row.addWidget(self.browser, 1)
        for page in guide_pages():
            self.contents.addItem(QListWidgetItem(page.title))
        QShortcut(QKeySequence(QKeySequence.StandardKey.Find), self, self.words.setFocus)
        style.changed.connect(self._show_again)

    def show_page(self, address: str) -> None:
        """Show a page.

        Args:
            address: A file's name without its ending, ``05-training``, and where a heading of it
                is meant, ``#`` and the heading: ``05-training#Cross-validation``.
        """
        name, _, heading = address.partition("#")
        names = [page.path.stem for page in guide_pages()]
        self.words.clear()
        self.contents.setCurrentRow(names.index(name))
        self.browser.scroll_to_heading(heading)

    def _follow(self, file: str) -> None:
        self.show_page(file.removesuffix(".md"))

    def _show_row(self, row: int) -> None:
        if row >= 0:
            self.browser.show_text(guide_pages()[row].text)
            self.browser.mark_words(self.words.text().strip())

    def _show_again(self) -> None:
        self._show_row(self.contents.currentRow())

    def _search(self, words: str) -> None:
        words = words.strip()
        fitting = [words.lower() in page.text.lower() for page in guide_pages()]
        for row, fits in enumerate(fitting):
            self.contents.item(row).setHidden(not fits)
        self.count.setText(
            "" if not words else self.tr("Nothing found") if not any(fitting)
            else self.tr("1 page") if sum(fitting) == 1
            else self.tr("{0} pages").format(sum(fitting)))
        if any(fitting) and not fitting[self.contents.currentRow()]:
            self.contents.setCurrentRow(fitting.index(True))
        self.browser.mark_words(words)

    def _next_match(self) -> None:
        self.browser.go_to_next(self.words.text().strip())


class Reader(QTextBrowser):
    """Markdown in the window's colours.

    `page_asked` carries the file of a link to another page; other links open in the browser of the
    system.
    """

    page_asked = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._page: QTextDocument | None = None
        self.setOpenLinks(False)
        self.anchorClicked.connect(self._go)

    @override
    def loadResource(self, kind: int, name: QUrl | str) -> None:
        """Nothing is loaded from anywhere: the guide is text."""

    def show_text(self, text: str) -> None:
        """Show a page from its top."""
        document = QTextDocument(self)
        document.setDefaultFont(self.font())
        document.setDocumentMargin(2 * style.SPACE)
        document.setMarkdown(text, QTextDocument.MarkdownFeature.MarkdownDialectGitHub)
        _dress(document)  # before it is shown, so that it is laid out once
        self.setDocument(document)
        if self._page is not None:
            self._page.deleteLater()
        self._page = document
        self.verticalScrollBar().setValue(0)

    def mark_words(self, words: str) -> None:
        """Mark each place of some words, and go to the first."""
        marks = []
        cursor = QTextCursor(self.document())
        while words:
            cursor = self.document().find(words, cursor)
            if cursor.isNull():
                break
            mark = QTextBrowser.ExtraSelection()
            mark.cursor = QTextCursor(cursor)
            mark.format.setBackground(style.color("accent_soft"))
            marks.append(mark)
        self.setExtraSelections(marks)
        if marks:
            first = QTextCursor(marks[0].cursor)
            first.clearSelection()
            self.setTextCursor(first)

    def go_to_next(self, words: str) -> None:
        """Go to the next place of some words, and after the last one to the first."""
        if words and not super().find(words):
            self.moveCursor(QTextCursor.MoveOperation.Start)
            super().find(words)

    def scroll_to_heading(self, heading: str) -> None:
        """Put a heading at the top; the page's own top where there is none of that name."""
        block = self.document().begin()
        while heading and block.isValid():
            if block.blockFormat().headingLevel() and block.text() == heading:
                top = self.document().documentLayout().blockBoundingRect(block).top()
                self.verticalScrollBar().setValue(int(top))
                return
            block = block.next()
        self.verticalScrollBar().setValue(0)

    def _go(self, link: QUrl) -> None:
        if link.scheme() in ("http", "https"):
            QDesktopServices.openUrl(link)
        elif link.path().endswith(".md"):
            self.page_asked.emit(link.path())


def _dress(document: QTextDocument) -> None:
    """Give headings, code and tables the window's look; Markdown brings none."""
    block = document.begin()
    while block.isValid():
        if level := block.blockFormat().headingLevel():
            _dress_heading(block, level)
        elif block.blockFormat().hasProperty(QTextFormat.Property.BlockCodeFence):
            ground = QTextBlockFormat()
            ground.setBackground(style.color("raised"))
            ground.setNonBreakableLines(False)
            QTextCursor(block).mergeBlockFormat(ground)
        block = block.next()
    for frame in document.rootFrame().childFrames():
        if isinstance(frame, QTextTable):
            _dress_table(frame)


def _dress_heading(block: QTextBlock, level: int) -> None:
    cursor = QTextCursor(block)
    cursor.movePosition(QTextCursor.MoveOperation.EndOfBlock, QTextCursor.MoveMode.KeepAnchor)
    size = QTextCharFormat()
    size.setFontPointSize(block.document().defaultFont().pointSizeF() * HEADINGS.get(level, 1.1))
    cursor.mergeCharFormat(size)
    room = QTextBlockFormat()
    room.setTopMargin(0 if level == 1 else 2.5 * style.SPACE)
    room.setBottomMargin(style.SPACE)
    cursor.mergeBlockFormat(room)


def _dress_table(table: QTextTable) -> None:
    """Thin lines and some room, as in the window's own tables."""
    look = table.format()
    look.setBorderCollapse(True)
    look.setBorder(1)
    look.setBorderStyle(QTextFrameFormat.BorderStyle.BorderStyle_Solid)
    look.setBorderBrush(style.color("border"))
    look.setCellPadding(0.75 * style.SPACE)
    look.setTopMargin(style.SPACE)
    look.setBottomMargin(2 * style.SPACE)
    table.setFormat(look)
