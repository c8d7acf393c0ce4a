"""Published models are fetched here, and only here: nothing goes to the network unasked.

The Hugging Face hub's files go to the cache that its own programs use, torchvision's to ours.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError

from mmstudio.errors import UserError
from mmstudio.pretrained import failures, hub, hub_cache, starter, torchvision_addresses
from mmstudio.pretrained.catalogue import entry
from mmstudio.pretrained.kinds import TORCHVISION, check_code, check_kind, kind_of
from mmstudio.pretrained.source import clean, is_local
from mmstudio.pretrained.transfer import Broken, Wanted, fetch, read, request_for

PART = ".incomplete"
"""The ending of a file that is not whole yet, as in the hub's cache."""
TELL_S = 0.1
"""The shortest time between two reports of how far it is."""
_HASH = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_REVISION = re.compile(r"\w[\w.-]*", re.ASCII)
"""Names a folder, and never one above."""


@dataclass(frozen=True)
class Progress:
    """How far a download is: ``done`` of ``total`` bytes; a total of 0 is not known yet."""

    message: str
    done: int
    total: int


@dataclass(frozen=True)
class PlannedFile:
    """One file of a download.

    Attributes:
        wanted: Its address, size and hash.
        place: Where it will be found.
        part: Where it grows.
        keep: Where its content is kept; ``place`` links to it, or is the same.
    """

    wanted: Wanted
    place: Path
    part: Path
    keep: Path

    @property
    def name(self) -> str:
        """The file's name in the model."""
        return self.wanted.name

    @property
    def bytes(self) -> int:
        """The file's size."""
        return self.wanted.bytes

    @property
    def present_bytes(self) -> int:
        """How much of it is on this disk."""
        if self.place.exists() or self.keep.exists():
            return self.bytes
        try:
            return min(self.part.stat().st_size, self.bytes)
        except OSError:
            return 0


@dataclass(frozen=True)
class Plan:
    """What a download would fetch.

    Attributes:
        model: The model's name.
        files: Its files, those that are on this disk included.
        bytes: Their size together.
        present_bytes: How much of that is on this disk already.
        licence: As its publisher gives it; "" where not.
        gated: Whether its publisher must let people in first.
        kinds: What it reads, where that can be told before it is here.
        revision: Its version; "" where it has none.
    """

    model: str
    files: tuple[PlannedFile, ...]
    bytes: int
    present_bytes: int
    licence: str
    gated: bool
    kinds: frozenset[str]
    revision: str


def planned(
    model: str, kind: str | None = None, should_stop: Callable[[], bool] = lambda: False
) -> Plan:
    """Ask the network what a model's download would fetch; nothing is fetched.

    Args:
        model: A Hugging Face id or ``torchvision/NAME``.
        kind: What it has to read: image, text or audio; None takes any.
        should_stop: Asked all the time; True ends the wait for the network within a moment.

    Raises:
        UserError: There is no such model, it is of another kind, there is no network, or it was
            to stop.
    """
    plan = _planned(model, kind, should_stop)
    if plan is None:
        raise UserError(f"Looking up '{model}' was stopped.", "Look again.")
    return plan


def download(
    model: str, should_stop: Callable[[], bool] = lambda: False
) -> Iterator[Progress]:
    """Fetch a model, going on where an earlier download of it was left.

    Args:
        model: A Hugging Face id or ``torchvision/NAME``.
        should_stop: Asked all the time; True ends it within a moment, and what is there is kept.

    Yields:
        How far it is.

    Raises:
        UserError: What the user can mend: the name, the network, the disk, a log-in.
    """
    yield Progress(f"Looking up {model.strip()}", 0, 0)
    plan = _planned(model, None, should_stop)
    if plan is None:
        return
    message = f"Downloading {plan.model}"
    folder, variable = _folder(plan.model)
    yield Progress(message, plan.present_bytes, plan.bytes)
    _check_space(plan, folder, variable)
    try:
        with _alone(plan.model):
            for file in plan.files:
                others = sum(f.present_bytes for f in plan.files if f is not file)
                for done in _now_and_then(_fetched(file, should_stop)):
                    yield Progress(message, others + done, plan.bytes)
                if not file.place.exists():
                    return
            if plan.revision:
                hub_cache.set_revision(plan.model, plan.revision)
    except OSError as error:
        raise failures.not_written(plan.model, error, folder, variable) from None
    yield Progress(f"{plan.model} is here", plan.bytes, plan.bytes)


def _planned(model: str, kind: str | None, should_stop: Callable[[], bool]) -> Plan | None:
    model = clean(model)
    if is_local(model):
        raise UserError(f"'{model}' is a folder or file, or no name of a model: there is nothing "
                        "to download.",
                        "Give a name such as those of 'mmstudio models': owner/name.")
    if starter.is_starter(model):
        raise starter.not_downloaded(model)
    failures.check_online(model)
    if torchvision_addresses.is_torchvision(model):
        return _planned_torchvision(model, kind, should_stop)
    listing = hub.list_files(model, should_stop)
    if listing is None:
        return None
    check_code(model, listing.config)
    if kind is not None and kind_of(listing.config):
        check_kind(model, listing.config, kind)
    base = hub_cache.model_dir(model)
    files = tuple(_hub_file(base, listing.revision, wanted) for wanted in listing.files)
    return _plan(model, files, listing.licence, listing.gated,
                 frozenset(kind_of(listing.config)), listing.revision)


def _plan(model: str, files: tuple[PlannedFile, ...], licence: str, gated: bool,
          kinds: frozenset[str], revision: str) -> Plan:
    listed = entry(model)
    if not licence and listed is not None:
        licence = listed.licence
    return Plan(model, files, sum(f.bytes for f in files), sum(f.present_bytes for f in files),
                licence, gated, kinds, revision)


def _hub_file(base: Path, revision: str, wanted: Wanted) -> PlannedFile:
    if not _HASH.fullmatch(wanted.digest) or not _REVISION.fullmatch(revision):
        raise UserError(f"What {hub.endpoint()} says of '{wanted.model}' can't be understood.",
                        "Where HF_ENDPOINT is set, it must name the Hugging Face hub or a mirror "
                        "of all of it.")
    blob = base / "blobs" / wanted.digest
    return PlannedFile(wanted, base / "snapshots" / revision / wanted.name,
                       blob.with_name(blob.name + PART), blob)


def _planned_torchvision(
    model: str, kind: str | None, should_stop: Callable[[], bool]
) -> Plan | None:
    if kind is not None:
        check_kind(model, {"model_type": TORCHVISION}, kind)
    name = torchvision_addresses.file_name(model)
    url = f"{torchvision_addresses.server()}/{name}"
    place = torchvision_addresses.place(model)
    size = place.stat().st_size if place.is_file() else _size_at(model, url, should_stop)
    if size is None:
        return None
    wanted = Wanted(model, name, url, size, torchvision_addresses.digest_start(name))
    file = PlannedFile(wanted, place, place.with_name(name + PART), place)
    return _plan(model, (file,), torchvision_addresses.LICENCE, False, frozenset({"image"}), "")


def _size_at(model: str, url: str, should_stop: Callable[[], bool]) -> int | None:
    """The size of the file at an address, asked without fetching it; None where it was to stop."""
    request = request_for(url)
    request.method = "HEAD"
    try:
        response = next(read(request, should_stop), None)
    except HTTPError as error:
        raise failures.refused(model, error) from None
    except Broken as error:
        raise failures.unreachable(model, url, error.cause) from None
    if response is None:
        return None
    size = response.headers.get("Content-Length")
    if not size:
        raise UserError(f"{url} does not say how large it is.",
                        "Try again, or name another mirror in MMSTUDIO_TORCHVISION.")
    return int(size)


def _fetched(file: PlannedFile, should_stop: Callable[[], bool]) -> Iterator[int]:
    """Have one file in its place."""
    if file.place.exists():
        return
    if not file.keep.exists():
        whole = yield from fetch(file.wanted, file.part, should_stop)
        if not whole:
            return
        file.part.replace(file.keep)
    if file.place != file.keep:
        hub_cache.link(file.keep, file.place)
    yield file.bytes


def _now_and_then(steps: Iterator[int]) -> Iterator[int]:
    """The first of the steps, and then some: a fast network has thousands in a second."""
    told_s = 0.0
    for step in steps:
        if time.monotonic() - told_s >= TELL_S:
            told_s = time.monotonic()
            yield step


def _folder(model: str) -> tuple[Path, str]:
    """Where a model goes, and the variable that names another folder."""
    if torchvision_addresses.is_torchvision(model):
        return torchvision_addresses.own_dir(), "MMSTUDIO_CACHE"
    return hub_cache.hub_dir(), "HF_HOME"


def _check_space(plan: Plan, folder: Path, variable: str) -> None:
    needed = plan.bytes - plan.present_bytes
    there = next((p for p in (folder, *folder.parents) if p.is_dir()), None)
    if there is None or not needed:
        return
    free = shutil.disk_usage(there).free
    if free < needed:
        raise failures.no_space(plan.model, needed, free, there, variable)


@contextmanager
def _alone(model: str) -> Iterator[None]:
    """Have no other program fetch the same model meanwhile.

    Raises:
        UserError: One does.
    """
    from filelock import FileLock, Timeout

    folder = _folder(model)[0] / ".locks"
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / f"{model.replace('/', '--')}.mmstudio.lock", timeout=0,
                    thread_local=False)  # a job's generator may be closed by another thread
    try:
        lock.acquire()
    except Timeout:
        raise UserError(f"'{model}' is being downloaded by another program.",
                        "Wait until that is done.") from None
    try:
        yield
    finally:
        lock.release()
