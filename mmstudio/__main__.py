"""``mmstudio`` and ``python -m mmstudio``: the door to the command line and the app."""

from __future__ import annotations

import sys

from mmstudio.quiet import open_missing


def main() -> None:
    """Run the command line; Ctrl-C while it is being loaded ends it without a word of Python's."""
    open_missing()
    try:
        from mmstudio.cli import main as run
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        raise SystemExit(130) from None
    run()


if __name__ == "__main__":
    main()
