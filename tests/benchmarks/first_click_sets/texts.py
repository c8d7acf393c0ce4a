"""Texts from packages that the app itself needs: Qt's translations, and documentation in code."""

from __future__ import annotations

import ast
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from first_click_sets.case import Rows

LANGUAGES = ("bg", "cs", "da", "es", "fr", "hr", "nl", "pl", "ru", "sk", "sv", "uk")
TOPICS = ("assistant", "designer", "linguist", "qtbase")
MESSAGES = 24  # of each language and topic

PACKAGES = ("networkx", "numpy", "polars", "scipy", "sklearn", "sympy", "torch", "transformers")
DOCSTRINGS = 150  # of each package
FEWEST_WORDS, MOST_WORDS = 30, 150
FILES_LOOKED_AT = 250


def languages(folder: Path, chance: np.random.Generator) -> Rows:
    """Short messages of Qt's tools: in which language, and of which tool."""
    from PySide6.QtCore import QLibraryInfo

    place = Path(QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath))
    rows, seen = [], set[str]()
    for language in LANGUAGES:
        for topic in TOPICS:
            found = []
            for text in sorted(set(translations(place / f"{topic}_{language}.qm"))):
                plain = _plain(text)
                if 2 <= len(plain.split()) <= 7 and plain not in seen:
                    found.append(plain)
            for at in chance.permutation(len(found))[:MESSAGES]:
                seen.add(found[at])
                rows.append({"text": found[at], "language": language, "topic": topic})
    return rows


def translations(path: Path) -> Iterator[str]:
    """The translated messages of a compiled Qt catalogue.

    Such a file is a 16-byte mark and sections: a byte that tells which, four that tell the
    length. In the section 0x69 each message is a row of tagged fields, the tag 1 ends it, and
    the tag 3 is the translation in UTF-16.
    """
    data = path.read_bytes()
    at = 16
    while at < len(data):
        kind, length = data[at], int.from_bytes(data[at + 1:at + 5])
        if kind == 0x69:
            yield from _messages(data[at + 5:at + 5 + length])
        at += 5 + length


def _messages(section: bytes) -> Iterator[str]:
    at = 0
    while at < len(section):
        tag = section[at]
        at += 1
        if tag == 1:
            continue
        if tag == 5:  # obsolete, of fixed length
            at += 4
            continue
        length = int.from_bytes(section[at:at + 4])
        at += 4
        if tag == 3 and length != 0xFFFFFFFF:
            yield section[at:at + length].decode("utf-16-be")
        at += 0 if length == 0xFFFFFFFF else length


def _plain(text: str) -> str:
    """Without marks of menus, tags and placeholders."""
    return " ".join(re.sub(r"<[^>]*>|&\w*;|&|%\w+|\.\.\.|…", " ", text).split())


def docstrings(folder: Path, chance: np.random.Generator) -> Rows:
    """Prose from documentation in code, names of packages left out: of which package it is."""
    rows, seen = [], set[str]()
    for package in PACKAGES:
        spec = importlib.util.find_spec(package)
        if spec is None or spec.origin is None:
            raise FileNotFoundError(f"the package {package}")
        root = Path(spec.origin).parent
        paths = sorted(p for p in root.rglob("*.py") if not {"tests", "testing"} & {*p.parts})
        found = []
        for at in chance.permutation(len(paths))[:FILES_LOOKED_AT]:
            for kind, text in _documented(paths[at]):
                prose = _prose(text)
                if len(prose.split()) >= FEWEST_WORDS and prose not in seen:
                    seen.add(prose)
                    found.append({"text": prose, "package": package, "kind": kind})
        rows += [found[at] for at in chance.permutation(len(found))[:DOCSTRINGS]]
    return rows


def _documented(path: Path) -> Iterator[tuple[str, str]]:
    """What is documented in a file: its kind, and the text."""
    tree = ast.parse(path.read_text(encoding="utf-8", errors="replace"))
    methods = {id(part) for node in ast.walk(tree) if isinstance(node, ast.ClassDef)
               for part in node.body}
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and (text := ast.get_docstring(node)):
            yield ("class" if isinstance(node, ast.ClassDef) else
                   "method" if id(node) in methods else "function"), text


def _prose(text: str) -> str:
    """Full sentences alone: no code, no lists of parameters, no name of a package."""
    lines = [line.strip() for line in text.splitlines()]
    sentences = [line for line in lines if len(line.split()) > 4 and not re.match(
        r">>>|\.\.|[-=*#:│┌└|@]|\w+ ?[:=(]", line)]
    words = re.findall(r"[A-Za-z][a-z'-]+", " ".join(sentences))
    own = re.compile("|".join((*PACKAGES, "scikit", "learn", "hugging", "tensor", "pytorch",
                               "polar", "ndarray")), re.IGNORECASE)
    return " ".join([word.lower() for word in words if not own.search(word)][:MOST_WORDS])
