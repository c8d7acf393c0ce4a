"""Components are classes found by name; their keyword-only arguments are the user's options.

A component's positional ``__init__`` arguments are wired by the builder. The keyword-only ones
are what the user may set, each annotated with its range and one line of help:

    def __init__(self, width: int, *, layers: Annotated[int, Range(1, 4, "stacked layers")] = 1)

``options_of`` reads them for the experiment file, the command line's help and the app's forms.
"""

from __future__ import annotations

import importlib
import inspect
import logging
import pkgutil
import typing
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from mmstudio.errors import UserError, nearest

T = TypeVar("T")

log = logging.getLogger("mmstudio")

GROUP = "mmstudio.components"
"""The entry points of installed packages that bring components: each names a module to import."""
PROBLEMS: list[str] = []
"""What went wrong with the components of installed packages, as sentences."""


@dataclass(frozen=True)
class Range:
    """The numbers that an option takes, ends included, and one line of help."""

    minimum: float
    maximum: float
    help: str


@dataclass(frozen=True)
class Help:
    """One line of help for an option that is not a number."""

    help: str


@dataclass(frozen=True)
class Option:
    """One option of a component.

    ``kind`` is ``int``, ``float``, ``bool``, ``choice`` or ``text``; a number has ``minimum`` and
    ``maximum``, a choice has ``choices``.
    """

    name: str
    kind: str
    default: Any
    help: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()

    def checked(self, value: Any, key: str) -> Any:
        """``value`` as this option takes it.

        Raises:
            UserError: The value is of another type or out of range; names ``key``.
        """
        if self.kind == "choice":
            if value not in self.choices:
                raise UserError(f"{key} = {value!r} is not one of its choices.",
                                nearest(str(value), self.choices))
            return value
        if self.kind == "bool":
            if not isinstance(value, bool):
                raise UserError(f"{key} = {value!r} is not a boolean.", "Write true or false.")
            return value
        if self.kind == "text":
            if not isinstance(value, str):
                raise UserError(f"{key} = {value!r} is not a text.", "Put it in quotes.")
            return value
        return self._checked_number(value, key)

    def _checked_number(self, value: Any, key: str) -> Any:
        whole = self.kind == "int"
        if isinstance(value, bool) or not isinstance(value, int | float):
            kind = "a whole number" if whole else "a number"
            raise UserError(f"{key} = {value!r} is not {kind}.", self._allowed())
        if whole and isinstance(value, float) and not value.is_integer():
            raise UserError(f"{key} = {value!r} is not a whole number.", self._allowed())
        if not (self.minimum is None or self.maximum is None):
            # written so that nan, which compares false with everything, is refused too
            if not self.minimum <= value <= self.maximum:
                raise UserError(f"{key} = {value!r} is out of range.", self._allowed())
        return int(value) if whole else float(value)

    def _allowed(self) -> str:
        if self.minimum is None or self.maximum is None:
            return f"Its default is {self.default}."
        return f"Allowed: {self.minimum:g} to {self.maximum:g}; the default is {self.default}."

    def to_json(self) -> dict[str, Any]:
        """The option as plain data for ``mmstudio components --json``."""
        data: dict[str, Any] = {"kind": self.kind, "default": self.default, "help": self.help}
        if self.minimum is not None:
            data |= {"minimum": self.minimum, "maximum": self.maximum}
        if self.choices:
            data["choices"] = list(self.choices)
        return data


def option_from_annotation(name: str, annotation: Any, default: Any) -> Option:
    """The option that an ``Annotated`` type describes.

    Raises:
        TypeError: The annotation carries neither Range nor Help, or its type is not supported.
    """
    base, *extras = (
        typing.get_args(annotation)
        if typing.get_origin(annotation) is typing.Annotated else (annotation,)
    )
    info = next((e for e in extras if isinstance(e, Range | Help)), None)
    if info is None:
        raise TypeError(f"option {name} needs Annotated[type, Range(...)] or Help(...)")
    if typing.get_origin(base) is typing.Literal:
        return Option(name, "choice", default, info.help, choices=typing.get_args(base))
    if base not in (int, float, bool, str):
        raise TypeError(f"option {name} is of type {base}, which no form shows")
    kind = "text" if base is str else base.__name__
    if isinstance(info, Range):
        return Option(name, kind, default, info.help, info.minimum, info.maximum)
    return Option(name, kind, default, info.help)


def options_of(component: type) -> dict[str, Option]:
    """The options of a component class: its ``__init__``'s keyword-only arguments, in order."""
    hints = typing.get_type_hints(component.__init__, include_extras=True)  # type: ignore[misc]
    return {
        name: option_from_annotation(name, hints[name], parameter.default)
        for name, parameter in inspect.signature(component.__init__).parameters.items()  # type: ignore[misc]
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }


def checked_options(
    options: Mapping[str, Option], values: Mapping[str, Any], key: str
) -> dict[str, Any]:
    """Every option with its value, the default where none is given.

    Args:
        options: The known options.
        values: What the user set.
        key: The path of the table in the experiment file, for messages.

    Raises:
        UserError: An unknown option, a wrong type or a value out of range.
    """
    for name in values:
        if name not in options:
            raise UserError(f"{key}.{name} is not a known option.", nearest(name, options))
    return {
        name: option.checked(values[name], f"{key}.{name}") if name in values else option.default
        for name, option in options.items()
    }


class Registry(Generic[T]):
    """Classes of one kind by name; the files of ``package`` are imported at the first look-up.

    After them come those of installed packages, see ``GROUP``.
    """

    def __init__(self, kind: str, package: str) -> None:
        self.kind = kind
        self._package = package
        self._classes: dict[str, type[T]] = {}
        self._complete = False

    def register(self, name: str, *, title: str, summary: str, source: str = "",
                 **attributes: Any) -> Callable[[type[T]], type[T]]:
        """Decorator that files a class under ``name``; it raises ValueError where that is taken.

        Args:
            name: The name in experiment files; it stays.
            title: The name for people.
            summary: What it does, one plain sentence.
            source: The paper that it follows.
            attributes: More class attributes, such as an encoder's ``modality``.
        """

        def file(cls: type[T]) -> type[T]:
            own = not cls.__module__.startswith(f"{self._package}.")
            if own:
                self._load_package()  # their names are taken, whoever comes first
            if name in self._classes and _place(self._classes[name]) != _place(cls):
                raise ValueError(f"two {self.kind}s are named {name}")
            for key, value in {"name": name, "title": title, "summary": summary,
                               "source": source, **attributes}.items():
                setattr(cls, key, value)
            self._classes[name] = cls
            if own and _recorders:
                _recorders[-1].append((self, name))
            return cls

        return file

    def remove(self, name: str) -> None:
        """Take a class out again, as one of a project that was closed."""
        self._classes.pop(name, None)

    def own(self) -> dict[str, type[T]]:
        """Those of projects and packages by name; loads nothing of mmstudio's own."""
        return {name: cls for name, cls in sorted(self._classes.items())
                if not cls.__module__.startswith(f"{self._package}.")}

    def _load_package(self) -> None:
        if not self._complete:
            package = importlib.import_module(self._package)
            for module in pkgutil.iter_modules(package.__path__):
                importlib.import_module(f"{self._package}.{module.name}")
            self._complete = True

    def classes(self) -> dict[str, type[T]]:
        """All classes by name, in the order of their names."""
        self._load_package()
        load_installed()
        return dict(sorted(self._classes.items()))

    def names(self) -> list[str]:
        """All names, sorted."""
        return list(self.classes())

    def get(self, name: str, key: str = "", **attributes: Any) -> type[T]:
        """The class of that name.

        Args:
            name: The name.
            key: The path of the key that holds it, for messages.
            attributes: What classes that fit have, such as an encoder's ``modality``; where there
                is none of that name, only these are named.

        Raises:
            UserError: There is none; names the nearest, and ``key`` where given.
        """
        classes = self.classes()
        if name not in classes:
            where = f"{key} = " if key else ""
            fitting = [n for n, cls in classes.items()
                       if all(getattr(cls, k, None) == v for k, v in attributes.items())]
            raise UserError(f"{where}'{name}' is not a known {self.kind}.", nearest(name, fitting))
        return classes[name]


_recorders: list[list[tuple[Registry[Any], str]]] = []
_installed_loaded = False


@contextmanager
def recorded() -> Iterator[list[tuple[Registry[Any], str]]]:
    """Inside, all that is registered is written down, registries and names; not what is our own.

    An import may set off that of an installed package: what that one brings is its own.
    """
    made: list[tuple[Registry[Any], str]] = []
    _recorders.append(made)
    try:
        yield made
    finally:
        _recorders[:] = [one for one in _recorders if one is not made]


def load_installed() -> None:
    """Import what installed packages bring, once; one that fails is told in ``PROBLEMS``."""
    global _installed_loaded
    if _installed_loaded:
        return
    _installed_loaded = True
    from importlib import metadata  # slow: the window does not wait for it

    points = metadata.entry_points(group=GROUP)
    for point in sorted(points, key=lambda p: (p.name, p.value)):
        with recorded() as made:
            try:
                point.load()
            except Exception as error:  # whatever somebody's package runs into
                for registry, name in made:
                    registry.remove(name)
                package = point.value if point.dist is None else point.dist.name
                PROBLEMS.append(f"The package {package} can't bring its components "
                                f"'{point.name}': {error}.")
                log.warning(PROBLEMS[-1])


def _place(cls: type) -> tuple[str, str]:
    return cls.__module__, cls.__qualname__
