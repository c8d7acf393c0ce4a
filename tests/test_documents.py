"""What README, the guide and CONTRIBUTING show works as it stands there."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import torch
import typer

from mmstudio.cli import app
from mmstudio.encoders import ENCODERS
from mmstudio.encoders.base import Features
from mmstudio.experiment import Experiment
from mmstudio.fusion.base import FUSIONS
from mmstudio.pretrained.catalogue import entry
from mmstudio.registry import options_of
from tests.one_thread import one_thread as one_thread  # a fixture
from tests.small_project import write_digits

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
GUIDE = sorted((ROOT / "resources" / "guide").glob("*.md"))
DOCUMENTS = [README, *(page.read_text(encoding="utf-8") for page in GUIDE)]
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def blocks(document: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", document, re.DOTALL | re.MULTILINE)


def test_the_experiments_of_the_documents_are_understood() -> None:
    texts = [block for text in DOCUMENTS for block in blocks(text, "toml") if "[data]" in block]
    assert len(texts) == 2  # a short one, and one with every key
    for text in texts:
        experiment = Experiment.parse(text)
        assert list(experiment.inputs) == ["image", "words", "sound"]
        assert experiment.fusion.name == "gated"
        assert experiment.training.epochs == tomllib.loads(text)["training"]["epochs"]


def test_the_guide_shows_the_same_python() -> None:
    assert [code for text in DOCUMENTS for code in blocks(text, "python")] == 2 * blocks(
        README, "python")


def test_the_python_of_the_readme_runs_as_it_stands(
    one_thread: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (code,) = blocks(README, "python")
    write_digits(tmp_path / "digits")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(compile(code, "README.md", "exec"), names)
    out = capsys.readouterr().out
    assert "train loss" in out and "digit answer" in out
    assert "'accuracy': " in out
    assert names["run"].experiment.training.epochs == 3
    assert names["answer"].label in {"bar", "cross", "dot"}


def test_the_encoder_of_the_guide_is_known() -> None:
    (text,) = (block for text in DOCUMENTS for block in blocks(text, "toml")
               if "encoder" in block and "[data]" not in block)
    settings = tomllib.loads(text)["inputs"]["words"]
    encoder = ENCODERS.get(settings["encoder"]["name"])
    assert encoder.modality == settings["modality"]
    assert entry(settings["encoder"]["model"], encoder.modality) is not None


def test_the_readme_lists_every_command() -> None:
    listed = set(re.findall(r"^\| `mmstudio (\w+)", README, re.MULTILINE))
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    known = {name for name, command in commands.items() if not command.hidden}
    assert listed == known - {"app"}


def test_extras_that_are_named_are_there_and_enough() -> None:
    """Each ``pip install ".[NAME]"`` that people are told brings what is then imported."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))[
        "project"]["optional-dependencies"]
    sources = (ROOT / "mmstudio").rglob("*.py")
    texts = [*DOCUMENTS, *(path.read_text(encoding="utf-8") for path in sources)]
    named = {name for text in texts for name in re.findall(r'pip install "\.\[(\w+)\]"', text)}
    assert {"export", "serve", "search", "formats", "tensorboard"} <= named <= set(extras)
    needed = {"serve": {"fastapi", "python-multipart", "uvicorn", "onnxruntime"},
              "export": {"onnx", "onnxruntime", "onnxscript"}, "tensorboard": {"tensorboardX"}}
    for extra, packages in needed.items():
        assert {re.split(r"[>=<!]", one)[0] for one in extras[extra]} == packages
        assert set(extras[extra]) <= set(extras["test"]), extra


def test_the_new_fusion_of_contributing_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FUSIONS, "_classes", dict(FUSIONS.classes()))
    (code,) = blocks(CONTRIBUTING, "python")
    exec(compile(code, "maximum.py", "exec"), {"__name__": "mmstudio.fusion.maximum"})
    maximum = FUSIONS.get("maximum")
    assert list(options_of(maximum)) == ["hidden"]
    fusion = maximum([3, 5], hidden=8)
    features = [
        Features(torch.randn(2, 4, width), torch.ones(2, 4, dtype=torch.bool)) for width in (3, 5)
    ]
    fused = fusion(features, torch.tensor([[True, True], [True, False]]))
    assert fused.views.shape == (2, 1, 8)
    alone = features[0].pooled()[1] @ fusion.linears[0].weight.T + fusion.linears[0].bias
    torch.testing.assert_close(fused.views[1, 0], alone.relu())


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", *(
    page.relative_to(ROOT).as_posix() for page in GUIDE)])
def test_links_lead_to_files(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    place = (ROOT / document).parent
    targets = re.findall(r"\]\((?!https?:|#)([^)]+)\)", text)
    assert not [target for target in targets if not (place / target).exists()]
