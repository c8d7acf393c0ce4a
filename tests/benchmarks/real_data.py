"""Where the benchmarks find real data, and what they say of the spoken, written, told digits."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

DIGITS = """
[data]
table = "metadata.csv"
split = "split"
[inputs.image]
column = "file_name"
modality = "image"
[inputs.words]
column = "text"
modality = "text"
[inputs.sound]
column = "audio"
modality = "audio"
[targets.digit]
task = "classification"
"""
"""The experiment on ``avdigits``."""


def data_folder() -> Path:
    """``shared/data`` beside the checkout, or MMSTUDIO_TEST_DATA."""
    beside = Path(__file__).resolve().parents[3] / "shared" / "data"
    return Path(os.environ.get("MMSTUDIO_TEST_DATA", beside))


def add_data_option(parser: argparse.ArgumentParser) -> None:
    """Let ``--data`` name another folder."""
    parser.add_argument("--data", type=Path, default=data_folder(),
                        help="where the real sets are")
