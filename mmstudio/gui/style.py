"""Colours, fonts, icons and the style sheet, in light and dark.

Widgets get their look from a mark, not from a style sheet of their own:
`mark(label, "title")`. The marks are

- labels: `title`, `subtitle`, `section`, `muted`, `small`, `figure`, `badge`, `good`, `warn`,
  `bad`, `code`;
- frames: `card`, `raised`, `panel`, `rail`, `header`, `strip`, `banner`, `line`, `empty`;
- buttons: `primary`, `danger`, `ghost`, `link`, `nav`, `segment`, `tile`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from PySide6.QtCore import QObject, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFont, QFontDatabase, QIcon, QPalette, QPixmap
from PySide6.QtWidgets import QApplication, QWidget

from mmstudio.gui.settings import Settings
from mmstudio.paths import resources_dir

AnyWidget = TypeVar("AnyWidget", bound=QWidget)

SPACE = 8
"""The grid's step, pixels. Margins and gaps are multiples of it."""


@dataclass(frozen=True)
class Palette:
    """The colours of one scheme, as `#rrggbb`."""

    dark: bool
    window: str
    surface: str
    raised: str
    hover: str
    text: str
    muted: str
    faint: str
    disabled: str
    border: str
    grid: str
    accent: str
    accent_hover: str
    accent_soft: str
    on_accent: str
    good: str
    good_soft: str
    warn: str
    warn_soft: str
    bad: str
    bad_soft: str
    series: tuple[str, ...]


LIGHT = Palette(
    dark=False,
    window="#f5f6f8",
    surface="#ffffff",
    raised="#f0f1f5",
    hover="#e8eaf0",
    text="#1b1e27",
    muted="#5b6172",
    faint="#6b7183",
    disabled="#b0b6c4",
    border="#dfe2ea",
    grid="#e8eaf0",
    accent="#4b53d6",
    accent_hover="#3d45c2",
    accent_soft="#e9eafb",
    on_accent="#ffffff",
    good="#147a4b",
    good_soft="#e0f4ea",
    warn="#9a5b00",
    warn_soft="#fdf1dc",
    bad="#bd2c3d",
    bad_soft="#fce8ea",
    series=("#4b53d6", "#d9622b", "#14897d", "#b8387f", "#8a6d00", "#2b7fc4", "#7a4fc0", "#5c7a1e"),
)
DARK = Palette(
    dark=True,
    window="#14161c",
    surface="#1c1f27",
    raised="#262a35",
    hover="#2e3340",
    text="#eceef4",
    muted="#a4abbd",
    faint="#8b92a6",
    disabled="#565d70",
    border="#323746",
    grid="#2b303c",
    accent="#646cec",
    accent_hover="#565ee0",
    accent_soft="#2a2d52",
    on_accent="#ffffff",
    good="#4cc68b",
    good_soft="#17352a",
    warn="#e8ad4a",
    warn_soft="#3a2e18",
    bad="#f2717f",
    bad_soft="#40212a",
    series=("#8f96ff", "#f58b55", "#41c7b8", "#ee78b6", "#d9b83f", "#63b3f2", "#b592f2", "#9fc457"),
)


class _Notifier(QObject):
    changed = Signal()


_notifier = _Notifier()
changed = _notifier.changed
"""Sent after the colours changed: paint again what was painted by hand, fetch icons again."""

_state: dict[str, Any] = {
    "palette": LIGHT,
    "theme": "system",
    "loaded": False,
    "dark_at_start": False,
    "refreshing": False,
}


def palette() -> Palette:
    """The colours in use."""
    chosen: Palette = _state["palette"]
    return chosen


def color(name: str) -> QColor:
    """One of the palette's colours, by its field's name or as `#rrggbb`."""
    return QColor(name if name.startswith("#") else getattr(palette(), name))


def series(index: int) -> QColor:
    """The colour of the i-th curve, input or task."""
    colors = palette().series
    return QColor(colors[index % len(colors)])


def theme() -> str:
    """The chosen theme: `system`, `light` or `dark`."""
    return str(_state["theme"])


def set_theme(name: str) -> None:
    """Choose `system`, `light` or `dark`, and show it at once."""
    _state["theme"] = name if name in {"system", "light", "dark"} else "system"
    _refresh()


def apply(app: QApplication) -> None:
    """Give the application its style; follows the system's scheme unless the theme says else.

    The theme is that of MMSTUDIO_THEME, else the one kept in the settings.
    """
    if not _state["loaded"]:
        _state["dark_at_start"] = app.palette().color(QPalette.ColorRole.Window).lightness() < 128
    app.setStyle("Fusion")
    _set_font(app)
    _state["theme"] = os.environ.get("MMSTUDIO_THEME") or _stored_theme()
    if not _state["loaded"]:
        _state["loaded"] = True
        app.styleHints().colorSchemeChanged.connect(_refresh)
    _refresh()


def mark(widget: AnyWidget, *marks: str) -> AnyWidget:
    """Give a widget its look (see the module's text), and return it."""
    widget.setProperty("mark", list(marks) if len(marks) > 1 else (marks[0] if marks else ""))
    if widget.isVisible():
        widget.style().unpolish(widget)
        widget.style().polish(widget)
    return widget


def icon(name: str, color_name: str | QColor | None = None, *, on: str | None = None) -> QIcon:
    """An icon of the library by its name (`mdi6.play`), in a colour of the palette.

    Args:
        name: The icon's name with its set.
        color_name: A palette field, a `#rrggbb` or a QColor; the text's colour when None.
        on: The colour while the button is checked.
    """
    if isinstance(color_name, QColor):
        color_name = color_name.name()
    return _icon(name, color_name or "text", on or "", palette().dark)


@lru_cache(maxsize=512)
def _icon(name: str, color_name: str, on: str, dark: bool) -> QIcon:
    import qtawesome

    colors = {"color": color(color_name), "color_disabled": color("disabled")}
    if on:
        colors["color_on"] = color(on)
        colors["color_on_active"] = color(on)
    made: QIcon = qtawesome.icon(name, **colors)
    return made


def pixmap(name: str, size: int, color_name: str | QColor | None = None) -> QPixmap:
    """An icon as a picture, `size` pixels wide."""
    return icon(name, color_name).pixmap(QSize(size, size))


def modality_icon(modality: str | None, color_name: str | QColor | None = None) -> QIcon:
    """The icon of a modality: picture, text, sound."""
    from mmstudio.gui.media.medium import medium_of

    return icon(medium_of(modality).icon, color_name)


def _stored_theme() -> str:
    return Settings().text("theme", "system")


def _set_font(app: QApplication) -> None:
    """Use the system's font; where there is none (a bare X server), the best one installed."""
    font = app.font()
    if font.family().lower() in {"", "sans", "sans serif", "sans-serif", "dejavu sans"}:
        known = set(QFontDatabase.families())
        for family in ("Inter", "Noto Sans", "Cantarell", "Ubuntu", "Open Sans"):
            if family in known:
                font.setFamily(family)
                break
    if 0 < font.pointSizeF() < 10:
        font.setPointSizeF(10)
    font.setHintingPreference(QFont.HintingPreference.PreferNoHinting)
    app.setFont(font)


def _refresh(*_: object) -> None:
    app = QApplication.instance()
    if not isinstance(app, QApplication) or _state["refreshing"]:
        return
    _state["refreshing"] = True  # what follows makes Qt tell of a changed scheme once more
    colors = DARK if _is_dark(app) else LIGHT
    _state["refreshing"] = False
    _state["palette"] = colors
    app.setPalette(_qt_palette(colors))
    app.setStyleSheet(style_sheet(colors))
    changed.emit()


def _is_dark(app: QApplication) -> bool:
    """Whether the chosen theme is dark; tells the system, which draws the title bar."""
    hints = app.styleHints()
    if theme() != "system":
        dark = theme() == "dark"
        hints.setColorScheme(Qt.ColorScheme.Dark if dark else Qt.ColorScheme.Light)
        return dark
    hints.unsetColorScheme()
    scheme = hints.colorScheme()
    if scheme == Qt.ColorScheme.Unknown:  # a desktop that has colours, but no word for them
        return bool(_state["dark_at_start"])
    return scheme == Qt.ColorScheme.Dark


def _qt_palette(p: Palette) -> QPalette:
    result = QPalette()
    role = QPalette.ColorRole
    for where, value in (
        (role.Window, p.window),
        (role.WindowText, p.text),
        (role.Base, p.surface),
        (role.AlternateBase, p.raised),
        (role.Text, p.text),
        (role.PlaceholderText, p.faint),
        (role.Button, p.surface),
        (role.ButtonText, p.text),
        (role.BrightText, p.bad),
        (role.ToolTipBase, p.raised),
        (role.ToolTipText, p.text),
        (role.Highlight, p.accent),
        (role.HighlightedText, p.on_accent),
        (role.Link, p.accent),
        (role.LinkVisited, p.accent),
        (role.Light, p.surface),
        (role.Midlight, p.raised),
        (role.Mid, p.border),
        (role.Dark, p.border),
        (role.Shadow, p.window),
    ):
        result.setColor(where, QColor(value))
    for where in (role.WindowText, role.Text, role.ButtonText):
        result.setColor(QPalette.ColorGroup.Disabled, where, QColor(p.disabled))
    return result


def style_sheet(p: Palette) -> str:
    """The application's style sheet in the colours of `p`.

    The sheet is a file with `$name` where a colour goes; `$dir` is the folder of its pictures.
    """
    folder: Path = resources_dir() / "styles"
    text = (folder / "window.qss").read_text(encoding="utf-8")
    values = {k: v for k, v in vars(p).items() if isinstance(v, str)}
    values["dir"] = folder.as_posix()
    values["scheme"] = "dark" if p.dark else "light"
    # The longest names first, so that $accent does not eat the start of $accent_soft.
    for name in sorted(values, key=len, reverse=True):
        text = text.replace(f"${name}", values[name])
    return text
