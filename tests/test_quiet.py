"""What C libraries say of damaged files stays off the terminal; what Python says does not."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from mmstudio.quiet import quiet
from tests.in_a_process import run_python

READ = """
import sys, warnings
from pathlib import Path
from mmstudio.errors import UserError
from mmstudio.modalities.sound_files import read_sound
from mmstudio.modalities.picture_files import open_image
from mmstudio.quiet import keep_own_stderr
keep_own_stderr()
for path in map(Path, sys.argv[1:]):
    try:
        (read_sound if path.suffix == ".mp3" else open_image)(path)
    except UserError:
        pass
print("the end", file=sys.stderr)
"""
RAW = "import sys\nfor path in sys.argv[1:]:\n    {}\n"


def damaged(folder: Path) -> tuple[list[Path], list[Path]]:
    """Sounds and pictures of which the libraries complain."""
    chance = np.random.default_rng(0)
    soundfile.write(folder / "whole.mp3", np.sin(np.arange(16_000) / 10), 16_000)
    pixels = chance.integers(0, 255, (40, 40, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / "whole.tif", compression="tiff_deflate")
    made: tuple[list[Path], list[Path]] = ([], [])
    for name, files in zip(("whole.mp3", "whole.tif"), made, strict=True):
        content = (folder / name).read_bytes()
        for i in range(8):
            bits = bytearray(content)
            for _ in range(20):
                bits[chance.integers(100, len(bits) - 400)] = chance.integers(256)
            files.append(folder / f"{i}{Path(name).suffix}")
            files[-1].write_bytes(bits)
    return made


def test_no_noise_of_damaged_files_reaches_the_terminal(tmp_path: Path) -> None:
    sounds, pictures = damaged(tmp_path)
    for files, code in (
        (sounds, "import soundfile\n    try: soundfile.read(path)\n    except Exception: pass"),
        (pictures, "from PIL import Image\n    try: Image.open(path).load()\n"
                   "    except Exception: pass"),
    ):
        assert run_python(RAW.format(code), *files).err  # it is there without the mend
    ended = run_python(READ, *sounds, *pictures)
    assert (ended.code, ended.err) == (0, "the end")


LOGGED = """
import sys
from pathlib import Path
from mmstudio.errors import UserError
from mmstudio.quiet import keep_own_stderr
from tests.trials.fuzzed_media import damaged, read, valid_files
keep_own_stderr()
for number in map(int, sys.argv[2:]):
    suffix, content, _ = damaged(valid_files(), 0, number)
    path = Path(sys.argv[1]) / f"case{suffix}"
    path.write_bytes(content)
    try:
        read(path)
    except UserError:
        pass
"""


def test_neither_a_librarys_log_nor_its_panic_is_printed(tmp_path: Path) -> None:
    """A TIFF of which Pillow logs, and a Parquet file at which polars panics."""
    ended = run_python(LOGGED, tmp_path, 5395, 11_757, env={"MMSTUDIO_CACHE": str(tmp_path)})
    assert (ended.code, ended.err) == (0, "")


THREADS = """
import os, sys, threading
from mmstudio.quiet import keep_own_stderr, quiet
keep_own_stderr()
go, done = threading.Event(), threading.Event()
def read():
    with quiet(), quiet():
        os.write(2, b"noise\\n")
        go.set()
        done.wait()
        os.write(2, b"noise\\n")
thread = threading.Thread(target=read)
thread.start()
go.wait()
print("a line of Python", file=sys.stderr)
with quiet():
    os.write(2, b"noise\\n")
done.set()
thread.join()
os.write(2, b"after it\\n")
try:
    with quiet():
        raise ValueError
except ValueError:
    os.write(2, b"after an error\\n")
print(len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0)
"""


def test_threads_inside_and_outside_do_not_disturb_each_other() -> None:
    ended = run_python(THREADS)
    assert ended.code == 0
    assert ended.err.splitlines() == ["a line of Python", "after it", "after an error"]
    assert int(ended.out) <= 6  # no descriptor is left open


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="descriptors can't be counted there")
def test_many_threads_leave_the_descriptor_as_it_was() -> None:
    before, count = os.fstat(2), len(os.listdir("/proc/self/fd"))

    def often() -> None:
        for _ in range(200):
            with quiet():
                pass

    threads = [threading.Thread(target=often) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (os.fstat(2).st_ino, os.fstat(2).st_dev) == (before.st_ino, before.st_dev)
    assert len(os.listdir("/proc/self/fd")) == count


def test_a_program_that_did_not_prepare_loses_no_line() -> None:
    ended = run_python("import sys\nfrom mmstudio.quiet import quiet\n"
                       "with quiet():\n    print('a line', file=sys.stderr)")
    assert ended.err == "a line"


CLOSED = """
import os, sys
from pathlib import Path
if sys.argv[2] == "later":
    import mmstudio.quiet
os.close(2)
file = open(sys.argv[1], "w")
assert file.fileno() == 2
import io
if sys.argv[2] == "none":
    sys.stderr = sys.__stderr__ = None
else:
    sys.stderr = io.StringIO()
if sys.argv[2] == "replaced":
    sys.__stderr__ = None
from mmstudio.quiet import quiet
with quiet():
    os.write(2, b"its data")
"""


@pytest.mark.parametrize("when", ["none", "replaced", "later"])
def test_a_file_that_took_the_place_of_standard_error_keeps_its_data(
    tmp_path: Path, when: str
) -> None:
    assert run_python(CLOSED, tmp_path / "file", when).code == 0
    assert (tmp_path / "file").read_text() == "its data"


@pytest.mark.skipif(os.name == "nt", reason="closed by a POSIX shell")
def test_the_program_opens_the_descriptors_that_it_began_without(tmp_path: Path) -> None:
    code = ("import os, sys\nfrom mmstudio.quiet import open_missing\nopen_missing()\n"
            f"file = open({str(tmp_path / 'file')!r}, 'w')\n"
            "print('lost', file=sys.stderr)\nprint('lost too')\n"
            "print(file.fileno(), os.get_inheritable(2), sys.stdin.read(), file=file)")
    command = f'exec "{sys.executable}" -c "$1" <&- >&- 2>&-'
    assert subprocess.run(["sh", "-c", command, "sh", code], check=False,
                          cwd=Path(__file__).parent.parent).returncode == 0
    number, inheritable, *rest = (tmp_path / "file").read_text().split()
    assert (int(number) > 2, inheritable, rest) == (True, "True", [])


@pytest.mark.skipif(os.name == "nt", reason="closed by a POSIX shell")
def test_without_standard_error_no_message_is_among_the_answers(tmp_path: Path) -> None:
    command = f'exec "{sys.executable}" -m mmstudio evaluate "$1" --json 2>&-'
    ended = subprocess.run(["sh", "-c", command, "sh", str(tmp_path / "none")], check=False,
                           cwd=Path(__file__).parent.parent, stdout=subprocess.PIPE)
    assert (ended.returncode, ended.stdout) == (1, b"")
