"""A parser of commands as plain data, and back.

What flags there are, and what they may be, is decided where the commands are, which
import what they name: the registries of networks, penalties, energy models and so on.
That of the package itself, without what a user registers, is written into a file, from
which a parser is made that says the same and imports nothing.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

# The classes of argparse that commands use, by the name that `add_argument` has.
_ACTIONS = {
    "_StoreAction": "store",
    "_StoreTrueAction": "store_true",
    "_StoreConstAction": "store_const",
    "_AppendAction": "append",
    "_VersionAction": "version",
    "BooleanOptionalAction": "boolean",
}
_KEPT = ("dest", "nargs", "const", "choices", "required", "help", "metavar", "version")
# Others, such as paths, are checked by the command itself.
_TYPES: dict[str, Any] = {"int": int, "float": float}
# Python before 3.13 adds it to the help of a flag with a `--no-` form.
_ADDED = " (default: %(default)s)"


def recorded(parser: argparse.ArgumentParser) -> dict[str, Any]:
    """A parser as data: what it accepts, and what its help and its errors say.

    Args:
        parser: The parser, with or without commands.

    Returns:
        What JSON can hold; `from_record` makes a parser of it again. Functions are left
        out, and defaults that no help shows: some are the user's own, such as a key.

    Example:

    >>> parser = argparse.ArgumentParser(prog="p", add_help=False)
    >>> _ = parser.add_argument("--to", choices=("a", "b"), help="where")
    >>> recorded(parser)["arguments"][0]["choices"]
    ['a', 'b']
    """
    groups = {
        id(action): group.title
        for group in parser._action_groups[2:]  # after positionals and options
        for action in group._group_actions
    }
    return {
        "prog": parser.prog,
        "description": parser.description,
        "epilog": parser.epilog,
        "arguments": [
            _commands(action)
            if isinstance(action, argparse._SubParsersAction)
            else _argument(action, groups.get(id(action)))
            for action in parser._actions
            if not isinstance(action, argparse._HelpAction)
        ],
    }


def _commands(action: Any) -> dict[str, Any]:
    helps = {each.dest: each.help for each in action._choices_actions}
    return {
        "commands": {
            name: {"help": helps[name], **recorded(parser)}
            for name, parser in action.choices.items()
        },
        "dest": action.dest,
        "required": action.required,
        "metavar": action.metavar,
    }


def _argument(action: Any, group: str | None) -> dict[str, Any]:
    kind = _ACTIONS[type(action).__name__]
    found = {name: getattr(action, name, None) for name in _KEPT}
    found["type"] = next((n for n, of in _TYPES.items() if of is action.type), None)
    if kind == "boolean":
        found["help"] = (found["help"] or "").removesuffix(_ADDED) or None
    if kind == "boolean" or "%(default)" in (found["help"] or ""):
        found["default"] = action.default
    if found["choices"] is not None:
        found["choices"] = list(found["choices"])
    if not action.option_strings or not found["required"]:
        del found["required"]
    if kind not in ("store", "append"):
        found.pop("nargs")
    if kind != "store_const":
        found.pop("const")
    return {
        "flags": action.option_strings,
        "action": kind,
        **{name: value for name, value in found.items() if value is not None},
        **({} if group is None else {"group": group}),
    }


def from_record(record: Mapping[str, Any]) -> argparse.ArgumentParser:
    """The parser of a record; it accepts what the recorded one does, and maybe more.

    Example:

    >>> parser = argparse.ArgumentParser(prog="p")
    >>> _ = parser.add_argument("--to", choices=("a", "b"), help="where")
    >>> from_record(recorded(parser)).parse_args(["--to", "b"])
    Namespace(to='b')
    """
    parser = argparse.ArgumentParser(
        prog=record["prog"], description=record["description"], epilog=record["epilog"]
    )
    _add(parser, record["arguments"])
    return parser


def _add(parser: argparse.ArgumentParser, arguments: list[dict[str, Any]]) -> None:
    groups: dict[str | None, Any] = {None: parser}
    for argument in arguments:
        kwargs = dict(argument)
        if "commands" in kwargs:
            _add_commands(parser, kwargs)
            continue
        title = kwargs.pop("group", None)
        if title not in groups:
            groups[title] = parser.add_argument_group(title)
        flags = kwargs.pop("flags")
        if not flags:  # a positional argument, which is called by its `dest`
            flags = [kwargs.pop("dest")]
        if kwargs["action"] == "boolean":
            kwargs["action"] = argparse.BooleanOptionalAction
            flags = [flag for flag in flags if not flag.startswith("--no-")]
        if "type" in kwargs:
            kwargs["type"] = _TYPES[kwargs["type"]]
        groups[title].add_argument(*flags, **kwargs)


def _add_commands(parser: argparse.ArgumentParser, kwargs: dict[str, Any]) -> None:
    records = kwargs.pop("commands")
    commands = parser.add_subparsers(**kwargs)
    for name, record in records.items():
        command = commands.add_parser(
            name,
            help=record["help"],
            description=record["description"],
            epilog=record["epilog"],
        )
        _add(command, record["arguments"])
