"""Texts of scripts without blanks, and emoji: are they learnt as with blanks between the pieces?

    python tests/trials/texts_without_blanks.py [--rows 300] [--epochs 30] [--only thai]

Sentences of common pieces, among which stands the sign of the class, are made by chance; no test
sentence occurs in training. Each table is trained twice, as such texts are written and with blanks
between the pieces. Arabic has blanks: there the vowel marks, which stand on some words only, are
what differs.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ENOUGH = 0.95

PIECES: dict[str, tuple[list[list[str]], list[str]]] = {
    "chinese": ([["好吃", "新鲜", "推荐"], ["难吃", "冰冷", "失望"]],
                ["这家店", "昨天晚上", "和朋友一起", "老板", "面条", "服务员", "味道",
                 "真的", "排队"]),
    "japanese": ([["おいしい", "新鮮", "最高"], ["まずい", "冷たい", "がっかり"]],
                 ["この店は", "昨日の夜", "友達と", "ラーメン", "店員さん", "とても",
                  "駅の近く", "二人で"]),
    "thai": ([["อร่อย", "สดใหม่", "แนะนำ"], ["ไม่อร่อย", "เย็นชืด", "ผิดหวัง"]],
             ["ร้านนี้", "เมื่อวาน", "กับเพื่อน", "ก๋วยเตี๋ยว", "พนักงาน", "จริงๆ",
              "ใกล้บ้าน", "รอคิว"]),
    "arabic": ([["لَذيذ", "لذيذ", "ممتاز"], ["سَيِّئ", "سيئ", "رديء"]],
               ["المطعم", "أمس", "مع", "صديق", "الطعام", "كان", "جدا", "النادل",
                "الشاي", "المدينة"]),
    "emoji": ([["😀", "🎉", "👍🏽"], ["😡", "💔", "👎🏿"]],
              ["🌳", "🚗", "👨‍👩‍👧", "🏠", "📚", "🇫🇷", "☕️", "1️⃣", "🐟"]),
}


def write(path: Path, name: str, rows: int, blanks: bool) -> None:
    """A table of texts and labels."""
    chance = random.Random(8)
    signs, common = PIECES[name]
    if name == "arabic" and blanks:
        marks = {ord(c): None for c in "\u064b\u064c\u064d\u064e\u064f\u0650\u0651\u0652"}
        signs = [[sign.translate(marks) for sign in one] for one in signs]
    between = " " if blanks or name == "arabic" else ""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for i in range(rows):
            pieces = chance.choices(common, k=chance.randint(4, 8))
            pieces.insert(chance.randint(1, len(pieces) - 1), chance.choice(signs[i % 2]))
            writer.writerow([between.join(pieces), ("good", "bad")[i % 2]])


def accuracy(folder: Path, table: Path, epochs: int) -> float:
    """What a model of default settings reaches on the test rows."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "MMSTUDIO_CACHE": str(folder / "cache")}

    def mm(*arguments: object) -> str:
        return subprocess.run([sys.executable, "-m", "mmstudio", *map(str, arguments)], check=True,
                              capture_output=True, text=True, env=environment).stdout

    project = folder / table.stem
    mm("new", project, "--data", table)
    mm("train", project / "experiment.toml", "--run", "r", "--set", f"training.epochs={epochs}")
    told = json.loads(mm("evaluate", project / "runs" / "r", "--json").splitlines()[-1])
    return float(told["tasks"]["label"]["accuracy"])


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=300)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--only", action="append", choices=list(PIECES))
    options = parser.parse_args()
    print(f"{'':10}{'as written':>12}{'with blanks':>13}{'share':>8}")
    for name in options.only or PIECES:
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            found = []
            for blanks in (False, True):
                table = folder / f"{name}{'-blanks' * blanks}.csv"
                write(table, name, options.rows, blanks)
                found.append(accuracy(folder, table, options.epochs))
        share = found[0] / max(found[1], 1e-9)
        verdict = "" if share >= ENOUGH else "   too low"
        print(f"{name:10}{found[0]:12.3f}{found[1]:13.3f}{share:8.2f}{verdict}", flush=True)


if __name__ == "__main__":
    main()
