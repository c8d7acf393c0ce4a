"""The self-test's process: what it may lean on, and what it says when it fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmstudio.errors import UserError
from mmstudio.export.proof import proven

ASKED = """\
import json, sys
told = {"largest": 0.0, "flags": [sys.flags.no_user_site, sys.flags.ignore_environment,
                                  sys.flags.safe_path, sys.flags.utf8_mode]}
print(json.dumps(told))
"""


def test_what_the_user_installed_for_himself_is_there(tmp_path: Path) -> None:
    (tmp_path / "predict.py").write_text(ASKED, encoding="utf-8")
    *_, found = proven(tmp_path)
    assert found is not None
    assert found["flags"] == [0, 1, True, 1]


def test_an_error_in_another_encoding_is_told(tmp_path: Path) -> None:
    (tmp_path / "predict.py").write_text(
        "import sys\nsys.stderr.buffer.write(b'caf\\xe9 is missing')\n", encoding="utf-8")
    with pytest.raises(UserError, match="caf\ufffd is missing"):
        list(proven(tmp_path))
