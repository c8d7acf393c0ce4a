"""A console that sends no escape sequence but its own: names in data and runs are anybody's."""

from __future__ import annotations

from collections.abc import Iterable

from rich import console as rich_console
from rich.console import ConsoleOptions, RenderableType
from rich.segment import Segment

from mmstudio.cli.output import visible


class Console(rich_console.Console):
    """Rich's console; what it is given to show is freed from control characters."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Rich's: everything that is shown comes through here, the styles beside the text."""
        for segment in super().render(renderable, options):
            if segment.control:
                yield segment
            else:
                yield Segment(visible(segment.text), segment.style)
