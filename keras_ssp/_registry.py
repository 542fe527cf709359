"""Names that a user may add to; one behaviour for all of them.

Neurons, surrogates, penalties, fan-out rules, energy models, networks, data sets and
optimisers are each found by name in a `Registry`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from typing import Any, Generic, TypeVar, overload

import keras

from keras_ssp._checks import did_you_mean

T = TypeVar("T")
_PACKAGE = __name__.partition(".")[0]


class Registry(Generic[T]):
    """Names and what each of them stands for.

    A name that is taken is refused, unless `overwrite=True`. A class or function that
    is defined again under the same module and name, as in a notebook cell that is run
    twice, takes the place of the first one.

    Args:
        argument: The argument that such a name is given in, for error messages.
        also: What that argument may be besides a name, for error messages.
        key: The argument of the function that registers which takes the name.
        same: Whether an entry is another one defined again.

    Example:

    >>> colours = Registry("colour")
    >>> colours.register("red", 0xFF0000) == 0xFF0000
    True
    >>> colours.get("rad")
    Traceback (most recent call last):
    ValueError: `colour` must be one of 'red'. Received: colour='rad'. Did you mean...
    """

    def __init__(
        self,
        argument: str,
        *,
        also: str = "",
        key: str = "name",
        same: Callable[[T, T], bool] | None = None,
    ) -> None:
        self.argument = argument
        self.version = 0  # rises with every entry: what was derived is then outdated
        self._also = f", {also}" if also else ""
        self._key = key
        self._same = same or defined_again
        self._entries: dict[Hashable, T] = {}

    @overload
    def register(
        self, name: Hashable, /, *aliases: str, overwrite: bool = ...
    ) -> Callable[[T], T]: ...

    @overload
    def register(self, name: Hashable, value: T, /, *, overwrite: bool = ...) -> T: ...

    def register(
        self, name: Hashable, *rest: Any, overwrite: bool = False
    ) -> T | Callable[[T], T]:
        """Adds an entry: `register(name, value)`, or `@register(name, *aliases)`.

        Args:
            name: Its name, a string without spaces; a layer type where the entries
                are found by type.
            *rest: The entry; or further names of the entry that is decorated.
            overwrite: Whether it may replace an entry of that name.

        Returns:
            The entry, or a decorator that returns what it decorates.

        Raises:
            ValueError: If a name is taken, or is no such string.
        """
        if rest and not isinstance(rest[0], str):
            return self.add((name,), rest[0], overwrite=overwrite)
        names = (name, *rest)
        for each in names:  # what no entry could change is said at once
            _check_name(each)
            held = self._entries.get(each)
            if held is not None and _module(held).startswith(_PACKAGE + "."):
                self._check_free(each, None, overwrite)
        return lambda value: self.add(names, value, overwrite=overwrite)

    def add(
        self, names: tuple[Hashable, ...], value: T, *, overwrite: bool = False
    ) -> T:
        """Adds one entry under several names, all of them or none."""
        for name in names:
            _check_name(name)
            self._check_free(name, value, overwrite)
        self._entries.update(dict.fromkeys(names, value))
        self.version += 1
        return value

    def add_class(
        self,
        names: tuple[Hashable, ...],
        cls: T,
        base: type,
        *,
        package: str,
        overwrite: bool = False,
    ) -> T:
        """Adds a class of this package's kinds, and makes it known to model saving.

        Args:
            names: Its names.
            cls: The class.
            base: What it must be a subclass of.
            package: Prefix of the class name in saved models.
            overwrite: Whether it may replace entries of those names.

        Raises:
            ValueError: If `cls` is no subclass of `base`, or a name is taken.
        """
        if not (isinstance(cls, type) and issubclass(cls, base)):
            raise ValueError(
                f"`cls` must subclass {base.__name__}. Received: cls={cls!r}."
            )
        self.add(names, cls, overwrite=overwrite)
        keras.saving.register_keras_serializable(package=package)(cls)
        return cls

    def _check_free(self, name: Hashable, value: T | None, overwrite: bool) -> None:
        held = self._entries.get(name)
        if held is None or overwrite:
            return
        if value is not None and self._same(held, value):
            return
        raise ValueError(
            f"`{self._key}` must be free: {_shown(name)} is {_described(held)}; pass "
            f"`overwrite=True` to replace it. Received: {self._key}={_shown(name)}."
        )

    def get(self, name: str) -> T:
        """The entry of a name.

        Raises:
            ValueError: If the name is unknown; the closest one is proposed.
        """
        found = self.find(name)
        if found is None:
            raise ValueError(self.unknown(name))
        return found

    def find(self, name: Any) -> T | None:
        """The entry of a name, `None` where there is none."""
        return self._entries.get(name) if isinstance(name, Hashable) else None

    def unknown(self, value: Any) -> str:
        """What an error says of a value that names no entry."""
        return (
            f"`{self.argument}` must be one of "
            f"{', '.join(sorted(map(_shown, self._entries)))}{self._also}. Received: "
            f"{self.argument}={value!r}.{did_you_mean(value, self.names())}"
        )

    def names(self) -> tuple[str, ...]:
        """The names, in the order in which they were added."""
        return tuple(name for name in self._entries if isinstance(name, str))

    def name_of(self, value: T) -> str | None:
        """The first name of an entry, `None` where it has none."""
        return next((k for k in self.names() if self._entries[k] is value), None)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, Hashable) and name in self._entries

    def __iter__(self) -> Iterator[Hashable]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


def _check_name(name: Hashable) -> None:
    if isinstance(name, type):
        return
    if not isinstance(name, str) or not name or name.split() != [name]:
        raise ValueError(
            "`name` must be a non-empty string without spaces. "
            f"Received: name={name!r}."
        )


def defined_again(held: Any, value: Any) -> bool:
    """Whether two classes or functions have one module and one name."""
    name = getattr(value, "__qualname__", None)
    if name is None or "<lambda>" in name:
        return False
    same = name == getattr(held, "__qualname__", None)
    return same and _module(held) == _module(value)


def _module(thing: Any) -> str:
    return str(getattr(thing, "__module__", ""))


def _described(thing: Any) -> str:
    return str(getattr(thing, "__qualname__", thing))


def _shown(name: Hashable) -> str:
    return name.__qualname__ if isinstance(name, type) else repr(name)
