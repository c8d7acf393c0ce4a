"""The small files of settings that are published with a model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mmstudio.errors import UserError


def processor_of(folder: Path, part: str) -> dict[str, Any]:
    """The settings of a model's preprocessing; empty where none were published with it.

    Args:
        folder: The model's.
        part: The name under which a file for several kinds holds those of this one:
            ``image_processor`` or ``feature_extractor``.
    """
    for name in ("preprocessor_config.json", "processor_config.json"):
        found = read_json(folder / name)
        inner = found.get(part)
        if isinstance(inner, dict):
            return inner
        if found and name.startswith("pre"):
            return found
    return {}


def read_json(path: Path) -> dict[str, Any]:
    """A JSON file's table; empty where there is no such file.

    Raises:
        UserError: It is there and can't be read.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise UserError(f"{path} can't be read: {error}.",
                        "Download the model again, or choose another.") from None
    return data if isinstance(data, dict) else {}
