"""``mmstudio compare``: the ranking, the sentence, the exit codes, and going on."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import Result, Run
from tests.small_project import small_experiment, write_small_project


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with one comparison, made by the generator. Not to be written to."""
    from mmstudio.comparison.contest import compare
    from mmstudio.comparison.plan import make_plan

    folder = write_small_project(tmp_path_factory.mktemp("compare") / "project")
    changes = {"inputs.sound.use": False, "training.epochs": 2}
    small_experiment(changes).save(folder / "experiment.toml")
    plan = make_plan(small_experiment(changes), "first", fusions=["sum"], seeds=1)
    list(compare(plan, folder=folder))
    return folder


@pytest.fixture
def project(compared: Path, tmp_path: Path) -> Path:
    """The same as a copy of the test's own."""
    return Path(shutil.copytree(compared, tmp_path / "project"))


def compare(run: Run, project: Path, *options: str) -> Result:
    return run("compare", project / "experiment.toml", *options)


@pytest.mark.slow
def test_for_people_it_ends_with_the_ranking_and_the_sentence(
    run: Run, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    result = compare(run, project, "--fusions", "concat, sum", "--seeds", "1", "--name", "mine",
                     "--set", "training.epochs=1")
    assert result.code == 0, result.err
    for word in ("Concatenation", "image alone", "words alone", "against the best", "95 %"):
        assert word in result.out
    assert any(text in result.out for text in (
        "Fusion helps", "No clear difference", "The best single input"))
    assert "mine.only-words.seed0" in result.err
    assert (project / "comparisons" / "mine" / "report.html").is_file()


def test_json_holds_the_events_and_the_ranking(run: Run, project: Path) -> None:
    result = compare(run, project, "--fusions", "sum,concat", "--seeds", "1", "--json",
                     "--target", "size", "--no-single")
    assert result.code == 0, result.err
    lines = result.lines
    assert lines[-1]["event"] == "comparison_finished"
    assert lines[-1]["reason"] == "completed"
    assert lines[-1]["report"] == "comparisons/comparison-1/report.html"
    assert {"comparison_started", "compared_run_started", "epoch_done", "run_finished",
            "run_scored", "ranking_changed"} <= {line["event"] for line in lines}
    trained = [line for line in lines if line["event"] == "epoch_done"]
    assert {line["compared_run"] for line in trained} == {
        "comparison-1.sum.seed0", "comparison-1.concat.seed0"}
    ranking = [line for line in lines if line["event"] == "ranking_changed"][-1]
    assert (ranking["target"], ranking["figure"], ranking["complete"]) == ("size", "accuracy", True)
    first = ranking["ranking"][0]
    assert (first["rank"], first["kind"]) == (1, "fusion")
    assert first["score"]["low"] <= first["score"]["mean"] <= first["score"]["high"]
    assert ranking["verdict"]["kind"] == "open"


def test_going_on_adds_fusions_and_seeds(run: Run, project: Path) -> None:
    taken = compare(run, project, "--name", "first")
    assert taken.code == 1
    assert "--resume" in taken.err
    result = compare(run, project, "--resume", "--fusions", "sum,gated", "--json")
    assert result.code == 0, result.err
    assert [line["run"] for line in result.lines if line["event"] == "run_scored"] == [
        "first.gated.seed0"]
    other = compare(run, project, "--resume", "--set", "training.epochs=3")
    assert other.code == 1
    assert "training.epochs" in other.err


@pytest.mark.parametrize(("options", "message"), [
    (["--fusions", "gatet"], "Did you mean 'gated'?"),
    (["--target", "shap"], "Did you mean 'shape'?"),
    (["--seeds", "99"], "out of range"),
    (["--set", "inputs.words.use=false"], "nothing to fuse"),
    (["--resume", "--name", "other"], "is not a comparison"),
])
def test_what_one_can_mend_is_said(
    run: Run, project: Path, options: list[str], message: str
) -> None:
    result = compare(run, project, *options)
    assert (result.code, result.out) == (1, "")
    assert message in result.err


def test_a_wrong_word_is_wrong_usage(run: Run, project: Path) -> None:
    assert compare(run, project, "--seeds", "many").code == 2


def test_interrupted_it_can_be_gone_on_with(
    run: Run, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from collections.abc import Iterator
    from typing import Any

    from mmstudio.comparison import contest

    real = contest.train

    def interrupted(experiment: Any, path: Path, **options: Any) -> Iterator[Any]:
        for event in real(experiment, path, **options):
            yield event
            if type(event).__name__ == "CheckpointSaved":
                raise KeyboardInterrupt

    monkeypatch.setattr(contest, "train", interrupted)
    result = compare(run, project, "--fusions", "concat", "--seeds", "1", "--name", "mine",
                     "--json")
    assert result.code == 130
    monkeypatch.setattr(contest, "train", real)
    again = compare(run, project, "--name", "mine", "--resume", "--json")
    assert again.code == 0, again.err
    assert [line["epoch"] for line in again.lines
            if line["event"] == "epoch_done"][:1] == [2]
