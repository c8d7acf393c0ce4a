"""``python -m mmstudio``: the same as the command ``mmstudio``."""

from mmstudio.cli import main

if __name__ == "__main__":
    main()
