"""All commands by name, each in a module of its own, which is imported when the command is asked for and not before.

Half of what a short command takes is its imports; those of AWS, of signatures and of reports are not everybody's.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from typing import Any

import typer
from typer.main import get_command_from_info, get_group
from typer.models import CommandInfo

WHERE: Mapping[str, str] = {
    "init": "init:command",
    "preview": "preview:command",
    "up": "up:command",
    "rotate": "rotate:command",
    "show": "show:command",
    "drift": "drift:command",
    "calendar": "calendar:command",
    "forecast": "forecast:command",
    "inventory": "inventory:command",
    "revoke": "revoke:command",
    "lift": "lift:command",
    "offboard": "offboard:command",
    "import": "importing:command",
    "attest": "attest:command",
    "reissue": "reissue:command",
    "deliver": "deliver:command",
    "resolve": "resolve:command",
    "hold": "hold:hold",
    "release": "hold:release",
    "suspend": "suspend:suspend",
    "resume": "suspend:resume",
    "rollback": "rollback:command",
    "rebuild": "rebuild:command",
    "mv": "mv:command",
    "whose": "whose:command",
    "review": "review:command",
    "codeowners": "codeowners:command",
    "rules": "rules:command",
    "explain": "explain:command",
    "schema": "schema:command",
    "doctor": "doctor:command",
    "sandbox": "sandbox:command",
    "audit": "audit:app",
    "policy": "policy:app",
}
"""Module and function of each command, in the order of the help; of a group of commands, module and its `app`."""

SETTINGS: Mapping[str, dict[str, Any]] = {
    "inventory": {"allow_extra_args": True, "ignore_unknown_options": True},  # a target's settings are its class's
    "whose": {"ignore_unknown_options": True},
}
"""How the arguments of some commands are read."""


class Commands(Mapping[str, Any]):
    """The commands as typer's group wants them; each is made when it is looked up."""

    def __init__(self) -> None:
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - a command or group of typer's own click
        """Return a command. Raises KeyError for a name that is none."""
        if name not in self._made:
            module, _, attribute = WHERE[name].partition(":")
            self._made[name] = _made(
                name, getattr(importlib.import_module(f"keysteward.cli.commands.{module}"), attribute)
            )
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(WHERE)

    def __len__(self) -> int:
        return len(WHERE)


def _made(name: str, found: Any) -> Any:  # noqa: ANN401 - a function, or a typer.Typer
    if isinstance(found, typer.Typer):
        group = get_group(found)
        group.name = name
        return group
    info = CommandInfo(name=name, callback=found, context_settings=SETTINGS.get(name))
    return get_command_from_info(info, pretty_exceptions_short=False, rich_markup_mode="markdown")
