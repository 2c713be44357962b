"""Tells the main job end to end, doing it: declare, apply, use, rotate, retire; a kill in mid-rotation, and a leak."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Literal

import typer

from keysteward.cli.commands import audit, drift
from keysteward.cli.commands.whose import FOUND
from keysteward.cli.demo.doors import CommandFailed, Door, open_door
from keysteward.cli.demo.place import Place, make_client, on_keycloak, on_sandbox
from keysteward.cli.demo.story import EXPORTER, MAILER, PARTNER, Story, StoryBroken, console
from keysteward.sandbox.keycloak_server import KeycloakStartError, missing_prerequisites

STRANGER = "quick-export-test"
GET_PULUMI = "https://www.pulumi.com/docs/install/"


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


def tell(place: Place, door: Door, *, verbose: bool) -> None:
    """Tell the whole story."""
    story = Story(place, door, verbose=verbose)
    story.chapter("1. What is declared (stacks/demo.py), previewed and applied")
    story.preview_and_up()
    story.chapter("2. The applications read their documents from the store and get tokens")
    story.applications_read()
    story.chapter("3. 90 days later: rotation is due, with an overlap of 7 days")
    story.pass_time(90)
    story.preview_and_up()
    story.note("the new generation, read from the store:")
    story.applications_read()
    story.note("the old one, for applications that have not reloaded yet:")
    story.older_ones(work=True)
    story.chapter("4. 8 days later: the overlap is over")
    story.pass_time(8)
    story.preview_and_up(again=True)
    story.applications_read()
    story.older_ones(work=False)
    _two_kinds(story)
    _a_kill(story)
    _a_leak(story)
    story.chapter("8. Nothing is due any more, and no secret was left behind")
    story.command(story.door.preview)
    story.search_for_secrets()
    _a_stranger(story)
    _a_review(story)


def _two_kinds(story: Story) -> None:
    story.chapter("5. Who owns a client and an API key, how they are scoped and revoked")
    story.keysteward("show", EXPORTER)
    story.keysteward("show", PARTNER)
    if story.verbose:
        story.keysteward("rules")


def _a_kill(story: Story) -> None:
    story.chapter("6. The next rotation is killed in the middle, and run again")
    story.pass_time(85)
    before = story.keys(EXPORTER)
    then = story.up_is_killed(EXPORTER)
    story.note("the new key is at the identity provider; the ledger knows that one was meant, not that it was made:")
    story.keys(EXPORTER)
    story.note("the applications go on with what the store holds:")
    story.applications_read()
    story.note("run again, it goes on from there: the same generation, the same key, none left over")
    story.run_again()
    if not before < then == story.keys(EXPORTER):
        raise StoryBroken("the second run did not go on with the key of the first")
    story.applications_read()
    story.note("what the audit log says of it, and whether somebody changed it:")
    story.keysteward("audit", "show", EXPORTER, "--last", "4")
    if story.place.clock_moves:
        story.keysteward("audit", "verify", "--trusted", "runner.pub")
    else:
        story.note("this demo let time pass by moving the dates in the ledgers, which verify finds:")
        story.keysteward("audit", "verify", "--trusted", "runner.pub", good=(audit.WRONG,))


def _a_leak(story: Story) -> None:
    story.chapter("7. A secret has leaked: invoice-mailer wrote it into its log")
    with story.leak(MAILER, "mailer.log") as leaked:
        story.keysteward("whose", "mailer.log", good=(FOUND,))
    story.keysteward("revoke", MAILER, "--generation", str(leaked.generation), "--reason", "in mailer.log", "--yes")
    story.note("the leaked one is refused; the application reads its document again:")
    story.refused(MAILER, leaked)
    story.applications_read()


def _a_stranger(story: Story) -> None:
    story.chapter("9. A client made at the console: the nightly drift finds it")
    if story.verbose:
        story.keysteward("drift", "--fail-on", "error")
    make_client(story.place, STRANGER)
    story.note(f"{STRANGER} was made at the console:")
    story.keysteward("drift", good=(drift.FOUND,))


def _a_review(story: Story) -> None:
    story.chapter("10. A pull request widens a scope: what its reviewer sees")
    with story.pull_request(EXPORTER, '["invoices:read"]', '["invoices:read", "invoices:write"]'):
        story.keysteward("review", "--base", "main")


def main(
    target: Annotated[
        Literal["sandbox", "keycloak"], typer.Option(help="Stand-ins (no Java needed), or a real Keycloak.")
    ] = "sandbox",
    *,
    verbose: Annotated[bool, typer.Option("--verbose", help="Show all that the commands print.")] = False,
) -> None:
    """Show the main job end to end in about a minute."""
    began = time.monotonic()
    try:
        with _start(target) as place, open_door(place.environment) as door:
            console.print(f"keysteward on {place.title}, through `{door.name}`", style="bold")
            if door.name != "pulumi":
                words = f"Through `keysteward up`; with the pulumi CLI on PATH ({GET_PULUMI}), through `pulumi up`."
                console.print(f"  {words}", style="dim", soft_wrap=True)
            if not verbose:
                console.print("  What tells the story is shown; `make demo VERBOSE=1` shows all.", style="dim")
            tell(place, door, verbose=verbose)
    except (StoryBroken, CommandFailed, KeycloakStartError) as error:
        console.print(str(error), style="red", markup=False)
        sys.exit(1)
    console.print(f"\nDone in {time.monotonic() - began:.0f} s.", style="bold green")


if __name__ == "__main__":
    typer.run(main)
