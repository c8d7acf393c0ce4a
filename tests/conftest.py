"""What every test gets: folders of its own, a screen where it needs one, no thread left behind."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
THREAD_GRACE_S = 5.0  # a thread that is ending gets this long to end
SCREEN = "1600x1000x24"
MANY_MODULES = 100
# Small tensors are slower on many threads, which spin while other workers compute. It counts only
# before numpy and torch are loaded, which the conftest.py of a folder may do.
os.environ.setdefault("OMP_NUM_THREADS", "1")

FOLDER_VARIABLES = ("MMSTUDIO_CACHE", "MMSTUDIO_CONFIG", "MMSTUDIO_PROJECTS", "HF_HOME",
                    "TORCH_HOME")


def pytest_configure(config: pytest.Config) -> None:
    """Keep the whole run, fixtures of the session included, out of the user's folders."""
    # an environment may forbid it: pytest would rewrite all tests in each worker of each run
    sys.dont_write_bytecode = False
    _leave_the_disk_its_time(config)
    folder = tempfile.TemporaryDirectory(prefix="mmstudio-tests-")
    config.add_cleanup(folder.cleanup)
    for variable in FOLDER_VARIABLES:
        os.environ[variable] = str(Path(folder.name) / variable.lower())
    os.environ["HF_HUB_OFFLINE"] = "1"
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_ENDPOINT", "HF_TOKEN"):
        os.environ.pop(variable, None)
    os.environ.pop("MMSTUDIO_THEME", None)
    # ignored under nohup and behind a shell's "&", which children inherit
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


def _leave_the_disk_its_time(config: pytest.Config) -> None:
    """Wait for no disk: a training syncs thirty files, and no test outlives a power cut.

    Which files are synced, and when, is looked at in ``test_safe_files.py``.
    """
    def no_sync(handle: int) -> None:
        os.fstat(handle)  # what is no open file stays an error

    patch = pytest.MonkeyPatch()
    patch.setattr(os, "fsync", no_sync)
    config.add_cleanup(patch.undo)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Choose Qt's platform before its application is made: a process has but one."""
    on_screen = [item for item in items if item.get_closest_marker("screen")]
    if on_screen and not sys.platform.startswith("linux"):
        return
    if not on_screen or config.option.collectonly:
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
    elif shutil.which("Xvfb"):
        _start_xvfb(config)
    elif os.environ.get("DISPLAY"):
        os.environ["QT_QPA_PLATFORM"] = "xcb"
    else:
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
        for item in on_screen:
            item.add_marker(pytest.mark.skip(reason="there is neither Xvfb nor a display"))


def _start_xvfb(config: pytest.Config) -> None:
    """Start a virtual screen, also where there is a real one: a person may be working there."""
    read_end, write_end = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write_end), "-screen", "0", SCREEN, "-nolisten", "tcp"],
        pass_fds=[write_end], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    os.close(write_end)
    with os.fdopen(read_end) as pipe:
        number = pipe.readline().strip()
    if not number:
        raise pytest.UsageError(f"Xvfb did not start; it exited with {server.wait()}")

    def end() -> None:
        server.terminate()
        server.wait()

    config.add_cleanup(end)
    os.environ.update(DISPLAY=f":{number}", QT_QPA_PLATFORM="xcb")
    os.environ.pop("WAYLAND_DISPLAY", None)


@pytest.fixture(autouse=True)
def own_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test an empty cache, settings and projects folder."""
    folder = tmp_path_factory.mktemp("user")
    for variable in FOLDER_VARIABLES:
        monkeypatch.setenv(variable, str(folder / variable.removeprefix("MMSTUDIO_").lower()))


@pytest.fixture(scope="session")
def modules_set_aside() -> list[int]:
    """How many modules there were when the collector was last told to pass over what they made."""
    return [0]


@pytest.fixture(autouse=True)
def libraries_set_aside(modules_set_aside: list[int]) -> None:
    """Have the collector pass over what imports brought, once they brought much.

    Every training ends with a collection, and every test of the window looks through all objects:
    among those of torch alone either takes as long as the rest of a small training.
    """
    if len(sys.modules) - modules_set_aside[0] > MANY_MODULES:
        gc.collect()  # what is garbage now would stay for ever
        gc.freeze()
        modules_set_aside[0] = len(sys.modules)


@pytest.fixture(autouse=True)
def no_thread_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that leaves a thread running: it would work on into the next test."""
    before = set(threading.enumerate())
    yield
    for thread in threading.enumerate():
        if thread not in before and not isinstance(thread, threading._DummyThread):
            thread.join(THREAD_GRACE_S)
    left = [
        thread.name for thread in threading.enumerate()
        if thread not in before and not isinstance(thread, threading._DummyThread)
    ]
    if "qtbot" in request.fixturenames:
        left += _running_qthreads()
    if left:
        pytest.fail(f"threads left running: {', '.join(left)}")


def _running_qthreads() -> list[str]:
    from PySide6.QtCore import QThread

    # type() rather than isinstance(): some objects answer to __class__ by importing things
    threads = [thread for thread in gc.get_objects() if issubclass(type(thread), QThread)]
    names = []
    for thread in threads:
        try:
            if thread != QThread.currentThread() and not thread.wait(int(THREAD_GRACE_S * 1000)):
                names.append(f"{type(thread).__name__} {thread.objectName()}".strip())
        except RuntimeError:  # its C++ side is deleted already
            continue
    return names


@pytest.fixture(scope="session")
def shared_data() -> Callable[[str], Path]:
    """Find a folder of real data by name; the test is skipped where it is not there."""

    def find(name: str) -> Path:
        places = [ROOT / "shared" / "data", ROOT.parent / "shared" / "data"]
        if override := os.environ.get("MMSTUDIO_TEST_DATA"):
            places = [Path(override)]
        for place in places:
            if (place / name).is_dir():
                return place / name
        pytest.skip(f"the data '{name}' is in none of: {', '.join(map(str, places))};"
                    " name its parent folder with MMSTUDIO_TEST_DATA")

    return find
