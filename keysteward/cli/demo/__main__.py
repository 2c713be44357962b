"""Tells the main job end to end, doing it: declare, preview, apply, use, rotate with overlap, retire."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.panel import Panel
from rich.rule import Rule
from rich.text import Text

from keysteward.cli.demo.application import Answer, Credential, get_token, read_document, server_time
from keysteward.cli.demo.doors import CommandFailed, Door, open_door
from keysteward.cli.demo.place import Place, on_keycloak, on_sandbox
from keysteward.sandbox.keycloak_server import KeycloakStartError, missing_prerequisites

CLIENTS = ("billing-exporter", "invoice-mailer")
GET_PULUMI = "https://www.pulumi.com/docs/install/"

console = Console(highlight=False)


class StoryBroken(Exception):
    """Something was not as the story says; the demo stops and fails."""


@contextmanager
def _start(target: str) -> Iterator[Place]:
    if target == "sandbox":
        with on_sandbox() as place:
            yield place
        return
    missing = missing_prerequisites()
    if missing:
        raise StoryBroken(f"a real Keycloak needs {' and '.join(missing)}; install them, or run: make demo")
    with on_keycloak(lambda words: console.print(f"  {words}", style="dim", markup=False)) as place:
        yield place


class Story:
    """The demo in chapters. Each does something for real and shows what came of it."""

    def __init__(self, place: Place, door: Door) -> None:
        self.place = place
        self.door = door
        self.held: dict[str, list[Credential]] = {name: [] for name in CLIENTS}

    def chapter(self, title: str) -> None:
        """Begin a chapter."""
        console.print()
        console.print(Rule(Text(title, style="bold"), align="left"))

    def command(self, command: tuple[str, ...]) -> None:
        """Run one command of the door and show what is worth reading of it."""
        shown = " ".join((Path(command[0]).name, *command[1:])).replace(" --non-interactive --color never", "")
        console.print(f"$ {shown}", style="bold cyan", markup=False)
        console.print(self.door.shown(command, self.door.run(command)), markup=False, soft_wrap=True)

    def preview_and_up(self) -> None:
        """Show the plan, then apply it."""
        self.command(self.door.preview)
        self.command(self.door.up)

    def applications_read(self) -> None:
        """Read each document again as its application does, and use it."""
        for name in CLIENTS:
            held = read_document(self.place, f"apps/{name}")
            if held not in self.held[name]:
                self.held[name].append(held)
            self.say(name, held, self.use(held), works=True)

    def use(self, held: Credential) -> Answer:
        """Get a token with a credential."""
        return get_token(self.place, held, server_time(self.place))

    def say(self, name: str, held: Credential, answer: Answer, *, works: bool) -> None:
        """Show what a credential can do; raises StoryBroken when it is not what must be."""
        if (answer.claims is not None) is not works:
            raise StoryBroken(f"{name} generation {held.generation}: expected {'a token' if works else 'a refusal'}")
        kind = "private key" if held.private_jwk else "client secret"
        line = Text(f"  {name}: generation {held.generation} ({kind} of client {held.client_id}): ")
        if answer.claims is None:
            line.append(f"refused ({answer.error})", style="red")
        else:
            claims = answer.claims
            seconds = int(claims["exp"]) - int(claims["iat"])
            line.append("token valid", style="green")
            line.append(f", aud {claims['aud']}, scope {claims['scope']!r}, {seconds} s")
        console.print(line, soft_wrap=True)

    def older_ones(self, *, work: bool) -> None:
        """Use the generations before the present one."""
        for name in CLIENTS:
            for held in self.held[name][:-1]:
                self.say(name, held, self.use(held), works=work)

    def pass_time(self, days: int) -> None:
        """Let days pass."""
        self.place.pass_time(timedelta(days=days))
        console.print(f"  … {days} days pass", style="dim")

    def search_for_secrets(self) -> None:
        """Search everything the door has left behind for every value that was delivered."""
        values = [v for held in self.held.values() for c in held for v in (c.secret, c.private_jwk) if v]
        needles = [v.encode() for v in values] + [_private_part(v) for v in values if v.startswith("{")]
        files = [f for f in self.door.folder.rglob("*") if f.is_file()]
        leaks = [f.name for f in files if any(n in f.read_bytes() for n in needles)]
        if leaks:
            raise StoryBroken(f"a secret was found in {', '.join(leaks)}")
        console.print(f"  {len(needles)} secret values searched in {len(files)} files of the project: none found")


def _private_part(jwk: str) -> bytes:
    import json  # noqa: PLC0415 - one use

    return str(json.loads(jwk)["d"]).encode()


def tell(place: Place, door: Door) -> None:
    """Tell the whole story."""
    story = Story(place, door)
    story.chapter("1. What is declared (stacks/demo.py), previewed and applied")
    story.preview_and_up()
    story.chapter("2. The applications read their documents from the store and get tokens")
    story.applications_read()
    story.chapter("3. 90 days later: rotation is due, with an overlap of 7 days")
    story.pass_time(90)
    story.preview_and_up()
    console.print("  the new generation, read from the store:", style="dim")
    story.applications_read()
    console.print("  the old one, for applications that have not reloaded yet:", style="dim")
    story.older_ones(work=True)
    story.chapter("4. 8 days later: the overlap is over")
    story.pass_time(8)
    story.preview_and_up()
    story.applications_read()
    story.older_ones(work=False)
    story.chapter("5. Nothing is due any more, and no secret was left behind")
    story.command(story.door.preview)
    story.search_for_secrets()


def main(
    target: Annotated[
        Literal["sandbox", "keycloak"], typer.Option(help="Stand-ins (no Java needed), or a real Keycloak.")
    ] = "sandbox",
) -> None:
    """Show the main job end to end in about a minute."""
    began = time.monotonic()
    try:
        with _start(target) as place, open_door(place.environment) as door:
            console.print(Panel(f"keysteward on {place.title}, through `{door.name}`", expand=False))
            if door.name != "pulumi":
                console.print(
                    "  The `pulumi` CLI is not on PATH, so this goes through `keysteward preview` and\n"
                    "  `keysteward up`: "
                    f"the same planner without Pulumi's state. To see it under Pulumi, install it: {GET_PULUMI}",
                    style="yellow",
                )
            tell(place, door)
    except (StoryBroken, CommandFailed, KeycloakStartError) as error:
        console.print(str(error), style="red", markup=False)
        sys.exit(1)
    console.print(f"\nDone in {time.monotonic() - began:.0f} s.", style="bold green")


if __name__ == "__main__":
    typer.run(main)
