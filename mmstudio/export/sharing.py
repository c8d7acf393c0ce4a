"""Exported models to and from the Hugging Face hub: only when asked, and nothing of the data."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmstudio.data.prepare import Progress
from mmstudio.errors import UserError
from mmstudio.export.card import write_needs
from mmstudio.export.exporting import OWN_SAMPLES, PROGRAMS, SHIPPED
from mmstudio.export.onnx_file import check_installed, first_line, foreign_operators
from mmstudio.export.opened import is_exported
from mmstudio.export.proof import proven
from mmstudio.export.shipped.predict import Model, PredictError
from mmstudio.modalities import MODALITIES

NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
MODEL, SCHEMA, CARD, ANSWERS = "model.onnx", "schema.json", "README.md", "selftest/answers.json"
_MEDIA = "|".join(sorted({re.escape(suffix[1:]) for cls in MODALITIES.classes().values()
                          for suffix in cls.suffixes} | {"txt", "md"}))
CONTENTS = re.compile(r"model\.onnx(\.data)?|schema\.json|tokenizer(\.\d+)?\.json|README\.md"
                      rf"|selftest/(answers\.json|[\w-]+\.({_MEDIA}))")
"""What holds a model, its card and its self-test. None of it is a program or a pickle."""
WRITTEN = ("requirements.txt", "Dockerfile", *PROGRAMS)
"""What says or is what to run: it goes along, and is never taken."""
MOST_SMALL = 200_000_000
"""Bytes of a file that is not the model."""
MOST_FILES, MOST_BYTES = 500, 20_000_000_000
"""Of a model that is fetched, all its files together."""


@dataclass(frozen=True)
class SharedFile:
    """One file of a model on the hub, with its size in bytes."""

    name: str
    size: int


def check_name(name: str) -> None:
    """Refuse what names no model on the hub.

    Raises:
        UserError: It is not ``user/name``.
    """
    if not NAME.fullmatch(name) or ".." in name or "--" in name:
        raise UserError(f"'{name}' names no model on the hub.", "Write it as user/name.")


# To the hub --------------------------------------------------------------------------------------


def files_to_push(folder: Path, include_samples: bool = False) -> list[SharedFile]:
    """What of an exported folder would be sent.

    Args:
        folder: The exported folder.
        include_samples: Whether the user agrees that samples of the data go along.

    Raises:
        UserError: It is no exported folder, or its self-test is made of the data.
    """
    if not is_exported(folder) or not (folder / CARD).is_file():
        raise UserError(f"{folder} is not a folder that was exported.",
                        "Give a run, or a folder that 'mmstudio export' wrote.")
    try:
        schema = json.loads((folder / SCHEMA).read_text(encoding="utf-8"))
        own = schema.get("samples", OWN_SAMPLES) == OWN_SAMPLES
    except (OSError, ValueError, AttributeError) as error:
        raise UserError(f"{folder / SCHEMA} can't be read: {error}.", "Export again.") from None
    if own and (folder / "selftest").is_dir() and not include_samples:
        raise UserError(f"The self-test in {folder} is made of samples of your data.",
                        "Export again without --include-samples, or give --include-samples here "
                        "to let them go along.")
    found = [path for path in sorted(folder.rglob("*"))
             if path.is_file() and not path.is_symlink() and _goes_along(path, folder)]
    files = [SharedFile(p.relative_to(folder).as_posix(), p.stat().st_size) for p in found]
    _refuse_missing(folder, {file.name for file in files})
    return files


def _refuse_missing(folder: Path, names: set[str]) -> None:
    """Refuse a self-test that asks for files that don't go along: nobody could run it."""
    try:
        missing = [name for name in _asked_files(folder) or () if f"selftest/{name}" not in names]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{folder / ANSWERS} can't be read: {error}.", "Export again.") from None
    if missing:
        raise UserError(f"The self-test reads {missing[0]}, which is of no kind that is sent.",
                        "Export again without --include-samples.")


def _goes_along(path: Path, folder: Path) -> bool:
    name = path.relative_to(folder).as_posix()
    return bool(CONTENTS.fullmatch(name)) or name in WRITTEN


def hub_card(folder: Path, licence: str = "") -> str:
    """The folder's card with the head that the hub reads.

    Args:
        folder: The exported folder.
        licence: As the hub calls it, such as ``mit``; "" says none.
    """
    head = ["---", "library_name: onnx", "tags:", "- mmstudio", "- multimodal"]
    if licence:
        head.append(f"license: {licence}")
    text = (folder / CARD).read_text(encoding="utf-8")
    if text.startswith("---\n"):  # of a model that came from the hub
        text = text.partition("\n---\n")[2].lstrip("\n")
    return "\n".join([*head, "---", "", text])


def push(
    folder: Path, name: str, files: Sequence[SharedFile], *, licence: str = "",
    public: bool = False,
) -> str:
    """Send a folder's files to the hub, as a commit of its own.

    Args:
        folder: The exported folder.
        name: ``user/name``; made where it is not there.
        files: Those of ``files_to_push``.
        licence: As in ``hub_card``.
        public: Whether everybody may see a model that is made now.

    Returns:
        Where it is.

    Raises:
        UserError: Nobody is logged in, the hub refuses, or the model is there for everybody to
            see and that was not asked for.
    """
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, get_token

    check_name(name)
    if get_token() is None:
        raise UserError("You are not logged in to the Hugging Face hub.",
                        "Log in:  hf auth login")
    card = hub_card(folder, licence).encode("utf-8")
    operations: list[CommitOperationAdd | CommitOperationDelete] = [CommitOperationAdd(
        path_in_repo=file.name,
        path_or_fileobj=card if file.name == CARD else str(folder / file.name))
        for file in files]
    api = HfApi()
    try:
        if api.repo_exists(name, repo_type="model"):
            info = api.model_info(name)
            if not info.private and not public:
                raise UserError(f"'{name}' is on the hub already, for everybody to see.",
                                "Give --public to send it there, or take another name.")
            sent = {file.name for file in files}  # what an earlier version held is no part of this
            operations += [CommitOperationDelete(path_in_repo=str(old.rfilename))
                           for old in info.siblings or () if old.rfilename not in sent
                           and CONTENTS.fullmatch(old.rfilename)]
        place = api.create_repo(name, private=not public, exist_ok=True, repo_type="model")
        api.create_commit(name, operations, commit_message="A model exported by mmstudio",
                          repo_type="model")
    except UserError:
        raise
    except Exception as error:  # of the many kinds that the hub's client has
        raise _refused(name, error) from error
    return str(place)


# From the hub ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Listed:
    """What there is of a model on the hub.

    Attributes:
        name: ``user/name``.
        revision: Which version.
        files: What would be taken.
        left: The names of what would not.
    """

    name: str
    revision: str
    files: tuple[SharedFile, ...]
    left: tuple[str, ...]

    @property
    def size(self) -> int:
        """Bytes of what would be taken."""
        return sum(file.size for file in self.files)


def listed(name: str) -> Listed:
    """Ask the hub what there is of a model; nothing is fetched.

    Raises:
        UserError: No such model, none of mmstudio's, a file that is too large, or no network.
    """
    from huggingface_hub import HfApi

    check_name(name)
    try:
        info = HfApi().model_info(name, files_metadata=True)
    except Exception as error:  # as above
        raise _refused(name, error) from error
    there = {str(s.rfilename): int(s.size or 0) for s in info.siblings or ()}
    files = tuple(SharedFile(n, size) for n, size in there.items() if CONTENTS.fullmatch(n))
    if not {MODEL, SCHEMA} <= there.keys():
        raise UserError(f"'{name}' is not a model that mmstudio exported: it has no {MODEL} with "
                        f"a {SCHEMA}.", "Give one that 'mmstudio push' sent.")
    for file in files:
        if file.size > MOST_SMALL and not file.name.startswith(MODEL):
            raise UserError(f"{file.name} of '{name}' has {file.size / 1e6:,.0f} MB, which is too "
                            "large for such a file.", "Nothing was fetched.")
    together = sum(file.size for file in files)
    if len(files) > MOST_FILES or together > MOST_BYTES:
        raise UserError(f"'{name}' has {len(files)} files of {together / 1e9:.1f} GB together: "
                        "that is not such a model.", "Nothing was fetched.")
    left = tuple(n for n in there if not CONTENTS.fullmatch(n))
    return Listed(name, str(info.sha), files, left)


def pull(wanted: Listed, folder: Path) -> Iterator[Progress | dict[str, Any] | None]:
    """Fetch a model into a new folder, and try it.

    No program of others is taken: this version's own stand in their places. All is fetched beside
    and renamed; who closes the generator leaves nothing behind.

    Args:
        wanted: As ``listed`` told.
        folder: A new one.

    Yields:
        Progress, last what the self-test told; None where it has none.

    Raises:
        UserError: It can't be fetched, is no model of mmstudio's, or does not answer as it says.
    """
    check_installed()
    folder = Path(folder).resolve()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} already exists.", "Choose another folder.")
    if not folder.parent.is_dir():
        raise UserError(f"There is no folder {folder.parent}.", "Make it, or choose another.")
    beside = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.new")
    try:
        beside.mkdir()
        yield from _fetched(wanted, beside)
        yield Progress("Trying the model", len(wanted.files), len(wanted.files))
        found = yield from _tried(beside)
        if folder.is_dir():
            folder.rmdir()
        os.replace(beside, folder)
    except OSError as error:
        raise UserError(f"{folder} can't be written: {error}.",
                        "Make room there, or choose another folder.") from None
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    yield found


def _fetched(wanted: Listed, beside: Path) -> Iterator[Progress]:
    from huggingface_hub import hf_hub_download

    for done, file in enumerate(wanted.files):
        yield Progress(f"{file.name} ({file.size / 1e6:,.1f} MB)", done, len(wanted.files))
        try:
            got = Path(hf_hub_download(wanted.name, file.name, revision=wanted.revision,
                                       local_dir=beside))
        except Exception as error:  # as above
            raise _refused(wanted.name, error) from error
        place = beside / file.name
        if got.resolve() != place.resolve() or place.is_symlink() or (
                place.stat().st_size != file.size):
            raise UserError(f"{file.name} of '{wanted.name}' is not what the hub told of it.",
                            "Nothing was kept; try again.")
    shutil.rmtree(beside / ".cache", ignore_errors=True)  # the client's notes


def _tried(folder: Path) -> Generator[Progress, None, dict[str, Any] | None]:
    """Put the programs beside, look at the file, and run its self-test."""
    for name in PROGRAMS:
        shutil.copyfile(SHIPPED / name, folder / name)
    try:
        model = Model(folder)
        foreign = foreign_operators(folder / MODEL)
        write_needs(folder, [str(spec["modality"]) for spec in model.inputs.values()])
        asked = _asked_files(folder)
    except PredictError as error:
        raise UserError(str(error), "Nothing was kept.") from None
    except (KeyError, TypeError, AttributeError, ValueError):
        raise UserError("What was fetched is not a model that mmstudio exported.",
                        "Nothing was kept.") from None
    if foreign:
        raise UserError(f"The model needs operators that ONNX does not have: {', '.join(foreign)}.",
                        "Nothing was kept.")
    if asked is None:
        return None
    if not all(CONTENTS.fullmatch(f"selftest/{name}") for name in asked):
        raise UserError("The model's self-test asks for files elsewhere.", "Nothing was kept.")
    found: dict[str, Any] = {}
    for step in proven(folder):
        yield Progress("Trying the model", 0, 1)
        found = step or found
    if not found.get("agrees"):
        raise UserError("The model does not answer as its self-test says: scores differ by up to "
                        f"{found['largest']:.1e}.", "Nothing was kept.")
    return found


def _asked_files(folder: Path) -> list[str] | None:
    """The files that a self-test reads; None where there is none."""
    if not (folder / ANSWERS).is_file():
        return None
    told = json.loads((folder / ANSWERS).read_text(encoding="utf-8"))
    return [str(value["file"]) for sample in told["samples"]
            for value in sample["inputs"].values() if "file" in value]


def _refused(name: str, error: Exception) -> UserError:
    return UserError(f"The hub and '{name}': {first_line(error)}",
                     "Look at the name, the network, and whether you are logged in (hf auth "
                     "login).")
