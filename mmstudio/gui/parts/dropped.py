"""What a person dropped or pasted: files, pictures and text, from any program.

File managers, browsers and editors describe the same thing in different ways; this is the one
place that knows them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QByteArray, QMimeData, QUrl
from PySide6.QtGui import QImage

_COPIED_FILES = "x-special/gnome-copied-files"
DATA_SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet", ".xlsx", ".ods",
                 ".zip", ".toml")
_LONGEST_PATH_CHARACTERS = 4096


@dataclass(frozen=True)
class Dropped:
    """What was found: local files, pictures without a file, a text, and addresses on the web."""

    files: tuple[Path, ...] = ()
    images: tuple[QImage, ...] = ()
    text: str = ""
    web: tuple[str, ...] = ()

    def is_empty(self) -> bool:
        """Whether nothing usable was found."""
        return not (self.files or self.images or self.text or self.web)


def is_data(mime: QMimeData) -> bool:
    """Whether a drag brings a project, a table or a folder: that is the window's, no sample."""
    urls = mime.urls() if mime.hasUrls() else []
    if len(urls) != 1 or not urls[0].isLocalFile():
        return False
    path = Path(urls[0].toLocalFile())
    return path.suffix.lower() in DATA_SUFFIXES or path.is_dir()


def is_project(mime: QMimeData) -> bool:
    """Whether a drag that `is_data` brings a project, or an experiment file."""
    return not is_table(Path(mime.urls()[0].toLocalFile()))


def is_table(path: Path) -> bool:
    """Whether a file or folder holds rows to be answered, and is no project."""
    if path.suffix.lower() == ".toml" or (path / "experiment.toml").is_file():
        return False
    return path.suffix.lower() in DATA_SUFFIXES or path.is_dir()


def can_take(mime: QMimeData) -> bool:
    """Whether a drag over a sample's place is worth accepting; cheap, called on every move."""
    if is_data(mime):
        return False
    return mime.hasUrls() or mime.hasImage() or mime.hasText() or mime.hasFormat(_COPIED_FILES)


def dropped_from(mime: QMimeData) -> Dropped:
    """Read what was dropped or pasted.

    Local files win over all else; then picture data (a browser gives it beside the address);
    then text. A text that consists of paths or addresses of existing files means the files.
    """
    urls = list(mime.urls())
    if not urls and mime.hasFormat(_COPIED_FILES):
        lines = bytes(mime.data(_COPIED_FILES).data()).decode("utf-8", "replace").splitlines()
        urls = [QUrl(line) for line in lines if line.startswith("file:")]
    files = tuple(Path(url.toLocalFile()) for url in urls if url.isLocalFile())
    if files:
        return Dropped(files=files)
    inline = _inline_images(urls)
    if inline:
        return Dropped(images=inline)
    if mime.hasImage():
        image = QImage(mime.imageData())
        if not image.isNull():
            return Dropped(images=(image,))
    web = tuple(url.toString() for url in urls if url.scheme() in ("http", "https", "ftp"))
    if web:
        return Dropped(web=web)
    text = mime.text().strip()
    from_text = _files_in_text(text)
    if from_text:
        return Dropped(files=from_text)
    return Dropped(text=text)


def _inline_images(urls: Iterable[QUrl]) -> tuple[QImage, ...]:
    images = []
    for url in urls:
        if url.scheme() != "data":
            continue
        header, _, content = url.toString(QUrl.ComponentFormattingOption.FullyEncoded).partition(
            ","
        )
        if "image/" in header and header.endswith(";base64"):
            encoded = QByteArray(content.encode())
            image = QImage.fromData(QByteArray.fromBase64(QByteArray.fromPercentEncoding(encoded)))
            if not image.isNull():
                images.append(image)
    return tuple(images)


def _files_in_text(text: str) -> tuple[Path, ...]:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    files: list[Path] = []
    for line in lines:
        if line.startswith("file:"):
            path = Path(QUrl(line).toLocalFile())
        elif len(line) < _LONGEST_PATH_CHARACTERS and Path(line).is_absolute():
            path = Path(line)
        else:
            return ()
        try:
            exists = path.is_file()
        except (OSError, ValueError):
            return ()
        if not exists:
            return ()
        files.append(path)
    return tuple(files)
