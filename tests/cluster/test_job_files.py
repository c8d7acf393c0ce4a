"""Job files: what schedulers read of them, and what torchrun makes of their command."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from torch.distributed.run import parse_args

from mmstudio.cluster.job import RESTARTS, ClusterJob, check_words, seconds_of
from mmstudio.cluster.ray import ray_program
from mmstudio.cluster.skypilot import skypilot_task
from mmstudio.cluster.slurm import slurm_script
from mmstudio.errors import UserError

JOB = ClusterJob("my experiment.toml", "it's $HOME; `x`", 2, 4, 30 * 3600 + 90,
                 ("training.epochs=3", 'fusion.name="late"'))
TRAIN = ["train", "./my experiment.toml", "--run=it's $HOME; `x`", "--set=training.epochs=3",
         '--set=fusion.name="late"']
# the keys that the schedulers document
SKY = {"name", "workdir", "num_nodes", "resources", "envs", "secrets", "file_mounts", "setup",
       "run", "service", "config", "volumes"}
SBATCH = {"job-name", "nodes", "ntasks-per-node", "gpus-per-node", "time", "signal", "output"}


def parsed(command: list[str]) -> Any:
    """What torchrun's own parser reads."""
    assert command[0] == "torchrun"
    return parse_args(command[1:])


def run_by_bash(script: str, tmp_path: Path, **environment: str) -> list[list[str]]:
    """The arguments with which a script calls srun and torchrun, both stood in for."""
    for name in ("srun", "torchrun", "timeout"):
        stub = tmp_path / name
        stub.write_text('#!/bin/bash\nprintf "%s\\n" "$#" "${0##*/}" "$@" >> "$CALLS"\n')
        stub.chmod(0o755)
    names = tmp_path / "scontrol"
    names.write_text("#!/bin/bash\nprintf 'node7\\nnode8\\n'\n")
    names.chmod(0o755)
    calls = tmp_path / "calls"
    subprocess.run(["bash", "-c", script], check=True, cwd=tmp_path, env={
        "PATH": f"{tmp_path}:/usr/bin:/bin", "CALLS": str(calls), **environment})
    lines = calls.read_text().splitlines()
    found = []
    while lines:
        count = int(lines[0]) + 2
        found.append(lines[1:count])
        lines = lines[count:]
    return found


def bash_reads(script: str) -> None:
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_slurm(tmp_path: Path) -> None:
    script = slurm_script(JOB)
    bash_reads(script)
    assert script.startswith("#!/bin/bash\n#SBATCH ")  # sbatch reads none after a command
    options = dict(re.findall(r"^#SBATCH --([\w-]+)=(\S+)$", script, re.MULTILINE))
    assert set(options) == SBATCH and script.count("#SBATCH") == len(SBATCH)
    assert options["nodes"] == "2" and options["gpus-per-node"] == "4"
    assert options["time"] == "1-06:01:30" and options["job-name"] == "it-s-HOME-x"
    (call,) = run_by_bash(script, tmp_path, SLURM_SUBMIT_DIR=str(tmp_path), SLURM_NNODES="2",
                          SLURM_JOB_ID="17", SLURM_JOB_NODELIST="node[7-8]")
    assert call[:2] == ["srun", "--kill-on-bad-exit=1"]
    read = parsed(call[2:])
    assert (read.nnodes, read.nproc_per_node, read.rdzv_endpoint, read.rdzv_id) == (
        "2", "4", "node7:29517", "17")
    assert read.module and read.training_script == "mmstudio"
    assert read.training_script_args == TRAIN


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_skypilot(tmp_path: Path) -> None:
    task = yaml.safe_load(skypilot_task(JOB, "H100"))
    assert set(task) <= SKY and task["num_nodes"] == 2 and task["workdir"] == "."
    assert task["resources"] == {"accelerators": "H100:4"}
    bash_reads(task["run"])
    (call,) = run_by_bash(task["run"], tmp_path, SKYPILOT_NODE_IPS="10.0.0.1\n10.0.0.2",
                          SKYPILOT_NUM_NODES="2", SKYPILOT_NODE_RANK="1")
    assert call[:4] == ["timeout", "--signal=TERM", "--kill-after=180", "108090"]
    read = parsed(call[4:])
    assert (read.nnodes, read.node_rank, read.master_addr) == ("2", 1, "10.0.0.1")
    assert read.training_script_args == TRAIN


@pytest.mark.parametrize(("nodes", "restarts"), [(1, RESTARTS), (2, 0)])
def test_skypilot_starts_again_where_the_checkpoint_is(nodes: int, restarts: int) -> None:
    run = yaml.safe_load(skypilot_task(ClusterJob("experiment.toml", "a", nodes)))["run"]
    assert f"--max-restarts={restarts}" in run


def test_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[list[str]] = []
    program = ray_program(JOB)
    monkeypatch.setitem(sys.modules, "ray", fake := FakeRay("ray"))
    monkeypatch.setitem(sys.modules, "ray.util", fake.util)
    for name in ("placement_group", "scheduling_strategies"):
        monkeypatch.setitem(sys.modules, f"ray.util.{name}", fake)
    held: dict[str, Any] = {"__name__": "program"}
    exec(compile(program, "train_on_ray.py", "exec"), held)  # our own text
    monkeypatch.setattr(held["subprocess"], "Popen", lambda command, cwd: (
        commands.append(command), FakeProcess(cwd))[1])
    assert held["main"]("a folder") == 0
    assert fake.bundles == [{"CPU": 1, "GPU": 4}] * 2
    assert [command[:3] for command in commands] == [
        [sys.executable, "-m", "torch.distributed.run"]] * 2
    for rank, command in enumerate(commands):
        read = parsed(["torchrun", *command[3:]])
        assert (read.nnodes, read.node_rank, read.master_addr) == ("2", rank, "10.0.0.1")
        assert read.module and read.training_script == "mmstudio"
        assert read.training_script_args == TRAIN


class FakeProcess:
    """A torchrun that ends at once."""

    def __init__(self, folder: str) -> None:
        assert folder == "a folder"

    def wait(self, seconds: float | None = None) -> int:
        return 0


class FakeRay(ModuleType):
    """As much of Ray as the program asks for, all of it on this machine."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.util = ModuleType("ray.util")
        self.util.get_node_ip_address = lambda: "10.0.0.1"  # type: ignore[attr-defined]
        self.bundles: list[Any] = []

    def init(self) -> None:
        pass

    def remote(self, function: Any = None, **options: Any) -> Any:
        if function is None:
            return self.remote
        function.options = lambda **_: function
        function.remote = function
        return function

    def get(self, value: Any) -> Any:
        return value

    def placement_group(self, bundles: list[Any], strategy: str) -> Any:
        assert strategy == "STRICT_SPREAD"
        self.bundles = bundles
        self.ready = lambda: None
        return self

    @staticmethod
    def PlacementGroupSchedulingStrategy(**options: Any) -> Any:
        return options


def test_without_gpus_the_cpus_train() -> None:
    job = ClusterJob("experiment.toml", "a", gpus_per_node=0)
    assert "--gpus-per-node" not in slurm_script(job) and "--device=cpu" in slurm_script(job)
    assert yaml.safe_load(skypilot_task(job))["resources"] == {"cpus": "4+"}
    assert "--nproc-per-node=1" in slurm_script(job)


@pytest.mark.parametrize(("text", "seconds"), [
    ("4:00:00", 14400), ("0:30", 1800), ("1-06:00:00", 108000), ("100:00:01", 360001)])
def test_times(text: str, seconds: int) -> None:
    assert seconds_of(text) == seconds
    assert seconds_of(ClusterJob("e", "r", seconds=seconds).clock) == seconds


@pytest.mark.parametrize("text", ["", "0:00", "four", "4", "1:99", "-1:00", "1:00:00; rm -r ."])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="is not a time"):
        seconds_of(text)


def test_a_line_break_is_refused() -> None:
    with pytest.raises(UserError, match="control character"):
        check_words(ClusterJob("experiment.toml", "a\n#SBATCH --nodes=99"))


def test_the_shell_reads_a_name_as_it_is() -> None:
    line = shlex.join(JOB.arguments())
    assert shlex.split(line)[3:] == TRAIN
