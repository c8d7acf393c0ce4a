"""The command line: exit codes, JSON on standard output and nothing else, messages beside."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mmstudio import __version__
from mmstudio.inference.predictor import Predictor
from mmstudio.training.run_folder import RunFolder
from tests.cli.conftest import Run
from tests.small_project import read_rows, write_small_project, write_table


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with one trained run, ``first``."""
    from tests.small_project import train_small

    folder = write_small_project(tmp_path_factory.mktemp("cli") / "project")
    train_small(folder, {"training.epochs": 4})
    return folder


def test_training_prints_events_and_writes_the_run(run: Run, project: Path) -> None:
    result = run("train", project / "experiment.toml", "--run", "second", "--json",
                 "--set", "training.epochs=2", "--set", "fusion.name=sum", "--set",
                 "training.batch_size = 21", "--device", "cpu")
    assert result.code == 0
    events = result.lines
    assert {e["event"] for e in events} == {
        "preparing", "started", "step_done", "epoch_done", "checkpoint_saved", "inputs_scored",
        "run_finished"}
    epoch = next(e for e in events if e["event"] == "epoch_done")
    assert epoch["epoch"] == 1
    assert isinstance(epoch["train"]["loss"], float)
    assert 0 <= epoch["validation"]["shape"]["accuracy"] <= 1
    assert events[-1]["reason"] == "completed"
    assert events[-1]["run"] == "runs/second"
    assert events[-1]["best_epoch"] in (1, 2)
    experiment = RunFolder(project / "runs" / "second").experiment()
    assert experiment.fusion.name == "sum"
    assert (experiment.training.epochs, experiment.training.batch_size) == (2, 21)
    again = run("train", project / "experiment.toml", "--run", "second", "--json")
    assert (again.code, again.out) == (1, "")
    assert "already exists" in again.err
    more = run("train", project / "experiment.toml", "--run", "second", "--resume",
               "--set", "training.epochs=3", "--json")
    assert more.code == 0
    assert [e["epoch"] for e in more.lines if e["event"] == "epoch_done"] == [3]


def test_training_starts_from_another_runs_weights(run: Run, project: Path) -> None:
    started = run("train", project / "experiment.toml", "--run", "continued", "--start-from",
                  "first", "--set", "training.epochs=1", "--json")
    assert started.code == 0, started.err
    told = next(e for e in started.lines if e["event"] == "weights_taken")
    assert (told["run"], told["fresh"]) == ("runs/first", [])
    assert told["taken"] == told["total"] > 0
    for people in (project / "runs" / "first", "first"):
        shown = run("train", project / "experiment.toml", "--start-from", people,
                    "--set", "training.epochs=1")
        assert "Started from runs/first: 100.0 % of the weights are its." in shown.out + shown.err
    experiment = RunFolder(project / "runs" / "continued").experiment()
    assert experiment.training.start_from == "runs/first"


def test_training_for_people_tells_each_epoch_and_what_to_do_next(run: Run, project: Path) -> None:
    result = run("train", project / "experiment.toml", "--set", "training.epochs=1")
    assert result.code == 0
    assert "Evaluate it:  mmstudio evaluate" in result.out
    runs = sorted(path.name for path in (project / "runs").glob("concat-image-words-sound-*"))
    assert runs[-1] in result.out
    assert "epoch   1" in result.out + result.err
    assert (project / "runs" / runs[-1] / "best.safetensors").is_file()


def test_evaluating_prints_the_contracts_shape(run: Run, project: Path) -> None:
    result = run("evaluate", project / "runs" / "first", "--split", "train", "--json")
    assert result.code == 0
    data, = result.lines
    assert (data["split"], data["samples"]) == ("train", 42)
    assert isinstance(data["loss"], float)
    assert {"accuracy", "macro_f1"} <= set(data["tasks"]["shape"])
    assert run("evaluate", project / "runs" / "first", "--json").lines[0]["samples"] == 9
    shown = run("evaluate", project / "runs" / "first")
    assert shown.code == 0
    assert "accuracy" in shown.out and "shape" in shown.out


def test_evaluating_the_inputs(run: Run, project: Path) -> None:
    result = run("evaluate", project / "runs" / "first", "--inputs", "--json")
    assert result.code == 0
    data, = result.lines
    subsets = {" + ".join(s["inputs"]): s for s in data["subsets"]}
    assert len(subsets) == 7
    assert subsets["image + words + sound"]["tasks"]["shape"]["accuracy"] == pytest.approx(
        data["tasks"]["shape"]["accuracy"])
    assert set(data["contributions"]["shape"]) == {"image", "words", "sound"}
    assert [p["inputs"] for p in data["interactions"]["size"]] == [
        ["image", "words"], ["image", "sound"], ["words", "sound"]]
    plain = run("evaluate", project / "runs" / "first", "--json").lines[0]
    assert not {"subsets", "contributions", "interactions", "inputs"} & set(plain)
    shown = run("evaluate", project / "runs" / "first", "--inputs")
    assert shown.code == 0
    assert "image + sound" in shown.out and "words with sound" in shown.out


def test_evaluating_another_table_gives_strict_json(run: Run, project: Path) -> None:
    rows = [{k: v for k, v in r.items() if k != "size"} for r in read_rows(project)[:9]]
    write_table(project / "other.csv", rows)
    result = run("evaluate", project / "runs" / "first", "--table", project / "other.csv", "--json")
    assert result.code == 0
    assert result.lines[0]["samples"] == 9
    assert result.lines[0]["tasks"]["size"]["accuracy"] is None
    shown = run("evaluate", project / "runs/first", "--table", project / "other.csv")
    assert shown.code == 0
    words = " ".join(shown.out.split())
    assert words.startswith("9 samples of the table ") and "other.csv, loss" in words
    inputs = run("evaluate", project / "runs/first", "--table", project / "other.csv", "--inputs",
                 "--json")
    assert inputs.lines[0]["subsets"][0]["tasks"]["size"]["accuracy"] is None


def test_predicting_one_sample_from_any_subset(run: Run, project: Path) -> None:
    row = read_rows(project)[2]
    result = run("predict", project / "runs/first", "--input",
                 f"image={project}/{row['file_name']}", "--input", f"words={row['text']}",
                 "--json")
    assert result.code == 0
    data, = result.lines
    assert data["present"] == ["image", "words"]
    assert set(data["tasks"]) == {"shape", "size"}
    scores = data["tasks"]["shape"]["scores"]
    assert set(scores) == {"bar", "cross", "dot"}
    assert data["tasks"]["shape"]["label"] == max(scores, key=scores.get)
    told = data["contributions"]["shape"]
    assert set(told["inputs"]) == {"image", "words"}
    assert sum(told["inputs"].values()) == pytest.approx(told["everything"] - told["nothing"])
    both = run("predict", project / "runs/first", "--input", "words=a dot", "--input",
               f"image={project}/{row['file_name']}")
    assert "because of: " in both.out and "log-odds" in both.out
    shown = run("predict", project / "runs/first", "--input", "words=a text with = signs")
    assert shown.code == 0
    assert "shape:" in shown.out and "answered from: words" in shown.out


def test_predicting_a_table(run: Run, project: Path, tmp_path: Path) -> None:
    table = project / "rows.csv"
    write_table(table, [*read_rows(project)[:5], read_rows(project)[5] | {"file_name": "no.png"}])
    result = run("predict", project / "runs/first", "--table", table, "--output",
                 tmp_path / "out.csv", "--json")
    assert result.code == 0
    assert [line["row"] for line in result.lines] == [0, 1, 2, 3, 4, 5]
    assert "no.png" in result.lines[5]["error"]
    assert all(line["tasks"]["shape"]["label"] in ("bar", "cross", "dot")
               for line in result.lines)
    assert result.lines[5]["present"] == ["words", "sound"]
    assert "no.png" in result.err
    with (tmp_path / "out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [r["shape answer"] for r in rows] == [
        line["tasks"]["shape"]["label"] for line in result.lines]
    assert "no.png" in rows[5]["error"]
    quiet = run("predict", project / "runs/first", "--table", table, "--output",
                tmp_path / "again.csv")
    assert quiet.code == 0
    assert "6 of 6 rows answered" in quiet.out and "1 of them without" in quiet.out
    assert (tmp_path / "again.csv").read_bytes() == (tmp_path / "out.csv").read_bytes()


def test_a_table_that_was_stopped_goes_on(
    run: Run, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, output = project / "rows.csv", tmp_path / "out.csv"
    write_table(table, [*read_rows(project)[:5], read_rows(project)[5] | {
        "file_name": "no.png", "text": "", "audio": ""}])
    asked: list[int] = []
    usual = Predictor.predict_table

    def counted(self: Predictor, *given: Any, rows: Any) -> Any:
        asked.append(len(rows))
        return usual(self, *given, rows=rows)

    monkeypatch.setattr(Predictor, "predict_table", counted)
    monkeypatch.setattr("mmstudio.inference.table_answers.CHUNK_ROWS", 2)
    command = ("predict", project / "runs/first", "--table", table, "--output")
    assert run(*command, tmp_path / "whole.csv").code == 0

    @contextmanager
    def at_once() -> Any:
        yield lambda: True

    with monkeypatch.context() as patch:
        patch.setattr("mmstudio.cli.interrupt.interrupts", at_once)
        stopped = run(*command, output)
    assert stopped.code == 130
    assert "2 of 6 are answered; run the same command to continue" in stopped.err
    assert not output.exists() and output.with_name("out.csv.part").exists()
    rest = run(*command, output)
    assert rest.code == 0 and "5 of 6 rows answered" in rest.out
    assert "Row 6: " in rest.err  # by its place in the table, not among those that were left
    assert asked == [6, 6, 4]
    assert output.read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert not output.with_name("out.csv.part").exists()


def test_predicting_a_table_of_which_no_row_can_be_read_fails(
    run: Run, project: Path, tmp_path: Path
) -> None:
    (tmp_path / "rows.csv").write_text("file_name\nno.png\nnone.png\n")
    result = run("predict", project / "runs/first", "--table", tmp_path / "rows.csv", "--output",
                 tmp_path / "out.jsonl")
    assert (result.code, result.out) == (1, "")
    assert "Not one row" in result.err and "none.png" in result.err
    lines = (tmp_path / "out.jsonl").read_text().splitlines()
    assert ["no" in json.loads(line)["error"] for line in lines] == [True, True]


def test_evaluating_says_which_labels_training_never_saw(
    run: Run, project: Path, tmp_path: Path
) -> None:
    rows = read_rows(project)[:9]
    for row in rows:
        row |= {c: f"{project}/{row[c]}" for c in ("file_name", "audio") if row[c]}
    rows[0]["shape"] = "star"
    write_table(tmp_path / "other.csv", rows)
    result = run("evaluate", project / "runs/first", "--table", tmp_path / "other.csv", "--json")
    assert result.lines[0]["unseen"] == {"shape": 1}
    assert "Warning: 1 row has a label of 'shape' that training never saw" in result.err


def test_checking_prints_the_contracts_shape(run: Run, tmp_path: Path) -> None:
    project = write_small_project(tmp_path / "p")
    (project / "sounds" / "004.wav").write_bytes(b"noise")
    result = run("check", project / "experiment.toml", "--json")
    assert result.code == 0
    data, = result.lines
    assert data["rows"] == 60
    problem, = data["problems"]
    assert (problem["row"], problem["column"], problem["kind"]) == (4, "audio", "unreadable")
    assert "004.wav" in problem["message"]
    shown = run("check", project / "experiment.toml")
    assert "row 5" in shown.out and "60 rows read, 1 problem" in shown.out


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_a_check_of_what_cannot_be_trained_fails(
    run: Run, tmp_path: Path, flags: list[str]
) -> None:
    project = write_small_project(tmp_path / "p")
    toml = (project / "experiment.toml").read_text()
    for old, new in (('split = "split"', 'split = "language"'),
                     ('[targets.shape]\ntask = "classification"',
                      '[targets.shape]\ntask = "regression"')):
        (project / "experiment.toml").write_text(toml.replace(old, new))
        result = run("check", project / "experiment.toml", *flags)
        assert result.code == 1
        assert ('"kind": "table"' if flags else "Nothing can be trained like this.") in result.out


def test_components_are_listed_with_ranges_and_defaults(run: Run) -> None:
    everything = run("components", "--json")
    assert everything.code == 0
    found = {(c["kind"], c["name"]) for c in everything.lines}
    assert {("encoder", "cnn"), ("fusion", "gated"), ("task", "classification")} <= found
    for kind in ("encoder", "encoders", "fusion", "fusions", "task"):
        result = run("components", kind, "--json")
        assert {c["kind"] for c in result.lines} == {kind.removesuffix("s")}
    cnn = next(c for c in everything.lines if c["name"] == "cnn")
    assert cnn["modality"] == "image"
    assert cnn["options"]["width"] == {
        "kind": "int", "default": 128, "minimum": 8, "maximum": 512,
        "help": "width of its features"}
    rnn = next(c for c in everything.lines if c["name"] == "rnn")
    assert rnn["options"]["cell"]["choices"] == ["lstm", "gru"]
    shown = run("components", "fusion")
    assert "hidden = 128" in shown.out and "8 to 2048" in shown.out


def test_the_demo_is_written_and_says_what_to_do_next(run: Run, tmp_path: Path) -> None:
    result = run("demo", tmp_path / "demo", "--json")
    assert result.code == 0
    assert Path(result.lines[0]["experiment"]).is_file()
    again = run("demo", tmp_path / "demo")
    assert again.code == 1
    assert "not empty" in again.err
    assert "mmstudio train" in run("demo", tmp_path / "other").out


MENDABLE: dict[str, tuple[list[str], str]] = {
    "no experiment": (["train", "none.toml"], "no experiment file"),
    "a folder": (["train", "."], "experiment.toml"),
    "unknown key": (["train", "experiment.toml", "--set", "training.epoch=3"], "'epochs'"),
    "unknown component": (["train", "experiment.toml", "--set", "fusion.name=gatd"], "'gated'"),
    "out of range": (["train", "experiment.toml", "--set", "training.epochs=-1"], "0 to 10000"),
    "no number": (["train", "experiment.toml", "--set", "training.epochs=inf"], "whole number"),
    "no value": (["train", "experiment.toml", "--set", "training.epochs"], "has no value"),
    "no name": (["train", "experiment.toml", "--run", "../x"], "not a name"),
    "no device": (["train", "experiment.toml", "--device", "gpu"], "training.device"),
    "no such start": (["train", "experiment.toml", "--start-from", "none"], "runs/none"),
    "two beginnings": (["train", "experiment.toml", "--start-from", "first", "--run", "first",
                        "--resume"], "Give one of the two"),
    "nothing to resume": (["train", "experiment.toml", "--run", "none", "--resume"], "not a run"),
    "no run": (["evaluate", "runs/none"], "not a run folder"),
    "no split": (["evaluate", "runs/first", "--split", "tset"], "'test'"),
    "no input": (["predict", "runs/first", "--input", "wrods=x"], "'words'"),
    "no '='": (["predict", "runs/first", "--input", "image"], "image=FILE"),
    "no '=' for a text": (["predict", "runs/first", "--input", "words"], "words=TEXT"),
    "no device to evaluate on": (["evaluate", "runs/first", "--device", "gpu"],
                                 "--device 'gpu' is not a known device"),
    "no device to predict on": (["predict", "runs/first", "--device", "cuda:99"],
                                "Give --device auto"),
    "no kind of answers": (["predict", "runs/first", "--table", "metadata.csv", "--output",
                            "o.xlsx"], ".csv, .tsv, .jsonl or .parquet"),
    "no file": (["predict", "runs/first", "--input", "image=none.png"], "none.png"),
    "output is a folder": (["predict", "runs/first", "--table", "metadata.csv", "--output",
                            "images"], "images"),
    "no table": (["predict", "runs/first", "--table", "none.csv", "--output", "o.csv"],
                 "none.csv"),
    "no kind": (["components", "encodr"], "'encoder'"),
    "no project": (["trian"], "'train'"),
    "no project and more": (["trian", "experiment.toml"], "'train'"),
}


@pytest.mark.parametrize(("case", "as_json"), [
    (case, as_json) for case in MENDABLE for as_json in (False, True)
    # it takes no --json
    if not (as_json and case.startswith("no project"))
])
def test_what_the_user_can_mend_exits_with_1_and_says_how(
    run: Run, project: Path, monkeypatch: pytest.MonkeyPatch, case: str, as_json: bool
) -> None:
    arguments, message = MENDABLE[case]
    monkeypatch.chdir(project)
    result = run(*arguments, *(["--json"] if as_json else []))
    assert result.code == 1
    assert message in result.err
    assert "Traceback" not in result.err
    assert not as_json or all(line["event"] == "preparing" for line in result.lines)


@pytest.mark.parametrize("arguments", [
    ["train"], ["train", "a.toml", "--nonsense"], ["evaluate"], ["predict"], ["check"], ["demo"],
    ["train", "a.toml", "b.toml"], ["--nonsense"],
    ["predict", "runs/first", "--table", "metadata.csv"],
    ["predict", "runs/first", "--table", "metadata.csv", "--input", "words=x"],
    ["predict", "runs/first", "--input", "words=x", "--output", "x.csv"],
], ids=" ".join)
def test_wrong_usage_exits_with_2(run: Run, arguments: list[str]) -> None:
    result = run(*arguments)
    assert result.code == 2
    assert result.out == ""
    assert "Usage" in result.err


def test_help_and_version(run: Run) -> None:
    for arguments in (["--help"], ["train", "--help"]):
        result = run(*arguments)
        assert result.code == 0
        assert "Usage" in result.out
    assert run("--version").out == f"mmstudio {__version__}\n"


def test_labels_and_names_with_brackets_are_shown_as_they_are(run: Run, tmp_path: Path) -> None:
    from mmstudio.experiment import Experiment
    from mmstudio.training.loop import train
    from tests.small_project import small_experiment

    project = write_small_project(tmp_path / "p")
    rows = [r | {"shape": f"[/{r['shape']}]"} for r in read_rows(project)]
    (project / rows[0]["file_name"]).write_bytes(b"noise")
    write_table(project / "metadata.csv", rows)
    data = small_experiment({"training.epochs": 1}).to_dict()
    data["inputs"] = {"[/red]": data["inputs"]["image"], "w": data["inputs"]["words"]}
    data["targets"] = {"[/b] [bold]": {"column": "shape"}}
    experiment = Experiment.from_dict(data)
    experiment.save(project / "experiment.toml")
    list(train(experiment, project / "runs" / "a", folder=project))
    shown = run("train", project / "experiment.toml", "--run", "[x]")
    assert shown.code == 0, shown.err
    assert "[/b] [bold] accuracy" in shown.out + shown.err
    assert "'[/red]'" in shown.out + shown.err
    assert "runs/[x]" in shown.out
    answer = run("predict", project / "runs/a", "--input", "w=round")
    assert answer.code == 0
    assert "[/b] [bold]: [/" in answer.out
    assert "[/b] [bold]" in run("evaluate", project / "runs/a").out


def subprocess_environment() -> dict[str, str]:
    root = str(Path(__file__).resolve().parents[2])
    return os.environ | {"PYTHONPATH": root, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}


SIGNALS = [("step_done", "SIGINT"), ("checkpoint_saved", "SIGINT"), ("step_done", "SIGTERM"),
           ("checkpoint_saved", "SIGHUP")]


@pytest.mark.skipif(sys.platform == "win32", reason="interrupts are sent another way there")
@pytest.mark.parametrize(("when", "which"), SIGNALS)
def test_an_interrupt_stops_training_with_130_and_keeps_a_usable_model(
    run: Run, project: Path, when: str, which: str
) -> None:
    name = f"{when}-{which}"
    process = subprocess.Popen(
        [sys.executable, "-m", "mmstudio", "train", "experiment.toml", "--run", name,
         "--json", "--set", "training.epochs=5000", "--set", "training.patience=5000"],
        cwd=project, env=subprocess_environment(), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if json.loads(line)["event"] == when:
                break
        process.send_signal(getattr(signal, which))
        if which == "SIGHUP":  # the shell and the system both tell of a closed terminal
            process.send_signal(signal.SIGHUP)
        rest, errors = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    assert f"mmstudio train experiment.toml --run {name} --resume" in errors
    last = json.loads(rest.splitlines()[-1])
    assert (last["event"], last["reason"]) == ("run_finished", "stopped")
    assert not list((project / "runs" / name).glob("*.new"))
    assert not list((project / "runs" / name).glob("training.*"))
    assert run("evaluate", project / "runs" / name).code == 0


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="there is no such signal")
def test_a_wish_to_stop_after_the_epoch_ends_training_there(project: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "mmstudio", "train", "experiment.toml", "--run", "wished",
         "--json", "--set", "training.epochs=5000", "--set", "training.patience=5000"],
        cwd=project, env=subprocess_environment(), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if json.loads(line)["event"] == "step_done":
                break
        process.send_signal(signal.SIGUSR1)
        rest, errors = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0, errors
    assert "Stopping after this epoch." in errors
    assert "mmstudio train experiment.toml --run wished --resume" in errors
    events = [json.loads(line) for line in rest.splitlines()]
    assert (events[-1]["event"], events[-1]["reason"]) == ("run_finished", "stopped")
    names = [event["event"] for event in events]
    assert "step_done" not in names[names.index("stopped"):]
    assert "epoch_done" in names[:names.index("stopped")]


@pytest.mark.skipif(sys.platform == "win32", reason="interrupts are sent another way there")
def test_a_terminal_that_is_closed_stops_training_and_keeps_the_model(project: Path) -> None:
    import pty

    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "mmstudio", "train", "experiment.toml", "--run", "gone",
         "--set", "training.epochs=5000", "--set", "training.patience=5000"],
        cwd=project, env=subprocess_environment(), stdin=theirs, stdout=theirs, stderr=theirs,
        start_new_session=True)
    os.close(theirs)
    try:
        shown = b""
        while b"epoch   1" not in shown:
            shown += os.read(ours, 4096)
        os.close(ours)
        process.send_signal(signal.SIGHUP)
        assert process.wait(timeout=60) == 130
    finally:
        process.kill()
        process.wait()
    history = RunFolder(project / "runs" / "gone").history()
    assert history.finished is not None and history.finished.reason == "stopped"
    assert (project / "runs/gone/best.safetensors").is_file()


@pytest.mark.skipif(sys.platform == "win32", reason="interrupts are sent another way there")
@pytest.mark.parametrize("which", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_in_any_command_ends_it_without_a_traceback(
    run: Run, project: Path, monkeypatch: pytest.MonkeyPatch, which: str
) -> None:
    from mmstudio.data import table

    def told_to_end(path: Path) -> None:
        signal.raise_signal(getattr(signal, which))

    monkeypatch.setattr(table, "_frame", told_to_end)
    before = signal.getsignal(signal.SIGTERM)
    found = run("check", project / "experiment.toml")
    assert (found.code, found.out) == (130, "")
    assert found.err.strip() in ("", "Interrupted.")
    assert signal.getsignal(signal.SIGTERM) is before


def test_an_interrupt_while_the_program_is_loaded_is_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import builtins

    from mmstudio.__main__ import main

    real = builtins.__import__

    def interrupted(name: str, *arguments: Any, **more: Any) -> Any:
        if name == "mmstudio.cli":
            raise KeyboardInterrupt
        return real(name, *arguments, **more)

    monkeypatch.setattr(builtins, "__import__", interrupted)
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 130
    assert capsys.readouterr().err == "Interrupted.\n"


def test_a_reader_that_leaves_is_no_failure_with_a_traceback(project: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "mmstudio", "components", "--json"], cwd=project,
        env=subprocess_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    errors = process.stderr.read()
    process.stderr.close()
    process.wait(60)
    assert "Traceback" not in errors


def test_labels_and_numbers_on_the_command_line(run: Run, tmp_path: Path) -> None:
    from mmstudio.units import number_text
    from tests.mixed_project import write_mixed_project

    folder = write_mixed_project(tmp_path / "mixed")
    trained = run("train", folder / "experiment.toml", "--run", "m", "--json", "--set",
                  "training.balancing=uncertainty", "--set", "targets.tags.threshold=0.01",
                  "--device", "cpu")
    assert trained.code == 0
    epoch = next(e for e in trained.lines if e["event"] == "epoch_done")
    assert {"macro_average_precision", "micro_f1", "macro_f1"} <= set(epoch["validation"]["tags"])
    assert {"mean_absolute_error", "r2"} <= set(epoch["validation"]["area"])
    tasks = run("evaluate", folder / "runs/m", "--json").lines[0]["tasks"]
    shown = run("evaluate", folder / "runs/m").out
    for task in ("tags", "area"):
        figures = {n: v for n, v in tasks[task].items() if isinstance(v, float)}
        assert len(figures) > 2
        for figure, value in figures.items():
            assert figure in shown and f"{value:.4f}" in shown
    answer, = run("predict", folder / "runs/m", "--input", "words=two roads", "--json").lines
    assert answer["tasks"]["tags"]["labels"] == list(answer["tasks"]["tags"]["scores"])
    area = answer["tasks"]["area"]
    assert area["unit"] == "cm²" and area["usual_error"] > 0
    shown = run("predict", folder / "runs/m", "--input", "words=two roads").out
    assert f"tags: {', '.join(answer['tasks']['tags']['labels'])}" in shown
    value, error = number_text(area["value"], 4), number_text(area["usual_error"], 2)
    assert f"area: {value} ± {error} cm²" in shown
    bad = run("train", folder / "experiment.toml", "--set", "targets.shape.task=regression",
              "--device", "cpu")
    assert bad.code == 1
    assert "'shape', row 1: 'bar' is not a number" in bad.err


def test_each_task_is_listed_with_its_options(run: Run) -> None:
    tasks = {item["name"]: item for item in run("components", "task", "--json").lines}
    assert set(tasks) == {"classification", "multilabel", "regression"}
    assert set(tasks["multilabel"]["options"]) == {"separator", "threshold", "class_weights"}
    assert tasks["regression"]["options"]["loss"]["choices"] == ["smooth_l1", "squared"]


def test_training_tells_what_was_chosen_what_answers_rest_on_and_how_well(
    run: Run, project: Path
) -> None:
    settings = ["--set", "training.epochs=2", "--set", "training.combine=true", "--set",
                "inputs.sound.use=false"]
    open_file = project / "open.toml"
    open_file.write_text((project / "experiment.toml").read_text(encoding="utf-8").replace(
        'encoder = { name = "rnn", width = 16 }\n', ""), encoding="utf-8")
    result = run("train", open_file, "--run", "auto", *settings)
    assert result.code == 0, result.err
    said = result.out + result.err
    assert "words: encoder rnn. No published model that could be tried" in said or (
        "words: encoder " in said and "starter/minilm" in said)
    assert "Quick models can answer already: validation shape accuracy " in said
    history = RunFolder(project / "runs" / "auto").history()
    figure = history.answered()["shape"]["accuracy"]
    assert "Answers rest " in result.out
    assert f"All together: validation shape accuracy {figure:.3f}" in result.out
    told = run("train", open_file, "--run", "told", *settings[:6], "--json").lines
    combined = [line for line in told if line["event"] == "combined"]
    assert (combined[0]["trained"], combined[-1]["trained"]) == (False, True)
    assert combined[-1]["validation"]["shape"]["accuracy"] == pytest.approx(figure)
    assert {"input": "words", "event": "encoder_chosen"}.items() <= next(
        line for line in told if line["event"] == "encoder_chosen").items()


def test_encoders_left_open_are_named_where_components_are_listed(run: Run) -> None:
    assert "encoder auto" in run("components", "encoders").out
    assert "encoder auto" not in run("components", "fusion").out
    assert "auto" not in {line["name"] for line in run("components", "encoder", "--json").lines}
