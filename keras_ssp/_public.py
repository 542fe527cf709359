"""What a package hands out."""

from __future__ import annotations

from types import ModuleType


def public_names(namespace: dict[str, object]) -> list[str]:
    """The public names of a package, for its `__all__`: not private, and no module.

    Python makes every imported module an attribute of its package; those are not for
    users.

    Example:

    >>> public_names({"LIF": 1, "_hidden": 2, "math": __import__("math")})
    ['LIF']
    """
    return sorted(
        name
        for name, value in namespace.items()
        if not (name.startswith("_") or isinstance(value, ModuleType))
    )
