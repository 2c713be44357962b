"""What the demo tells with: it runs commands, uses credentials as their applications do, and looks for secrets."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

from rich.console import Console
from rich.rule import Rule
from rich.text import Text

from keysteward.cli.demo.application import Answer, Credential, get_token, read_document, server_time, show_key
from keysteward.cli.demo.brief import brief
from keysteward.cli.demo.doors import KEYSTEWARD, KILLED, Door
from keysteward.cli.demo.kill import Kill
from keysteward.cli.demo.place import LEFT_ALONE_UNTIL, Place, keys_at_provider

EXPORTER, MAILER = CLIENTS = ("billing-exporter", "invoice-mailer")
PARTNER, UPLOADER = KEYS = ("partner-orders", "report-uploader")

console = Console(highlight=False)


class StoryBroken(Exception):
    """Something was not as the story says; the demo stops and fails."""


class Story:
    """The demo in chapters. Each does something for real and shows what came of it."""

    def __init__(self, place: Place, door: Door, *, verbose: bool) -> None:
        self.place = place
        self.door = door
        self.verbose = verbose
        self.explained = False
        self.held: dict[str, list[Credential]] = {name: [] for name in (*CLIENTS, *KEYS)}

    def chapter(self, title: str) -> None:
        """Begin a chapter."""
        console.print()
        console.print(Rule(Text(title, style="bold"), align="left"))

    def note(self, words: str) -> None:
        """Say what the reader sees next, or should have seen."""
        console.print(f"  {words}", style="dim", markup=False, soft_wrap=True)

    def command(self, command: tuple[str, ...], good: tuple[int, ...] = (0,)) -> None:
        """Run one command of the door and show what is worth reading of it."""
        self._typed(command)
        text = self.door.shown(command, self.door.run(command, good))
        if not self.verbose and command[0] == KEYSTEWARD:
            text = "\n".join(brief(command[1:], text))
        if text:
            console.print(text, markup=False, soft_wrap=True)

    def keysteward(self, *words: str, good: tuple[int, ...] = (0,)) -> None:
        """Run one command of `keysteward`, as it is typed beside either door."""
        self.command((KEYSTEWARD, *words), good)

    def _typed(self, command: tuple[str, ...]) -> None:
        shown = shlex.join((Path(command[0]).name, *command[1:])).replace(" --non-interactive --color never", "")
        console.print(f"$ {shown}", style="bold cyan", markup=False, soft_wrap=True)

    def up_is_killed(self, name: str) -> set[str]:
        """Start a run and kill it once the new key of one client exists; returns the keys there were then."""
        kill = Kill(self.place, name)
        self._typed(self.door.up)
        with kill.lie_in_wait():
            self.door.run(self.door.up, KILLED, kill.aim)
        if not kill.keys:
            raise StoryBroken("the run was not killed")
        console.print("Killed by SIGKILL", style="red")
        return kill.keys

    def run_again(self) -> None:
        """Run again after a kill; Pulumi has a lock of its own that outlives the dead update."""
        if self.door.unlock:
            self.command(self.door.unlock)
        self.preview_and_up(again=True)

    @contextmanager
    def leak(self, name: str, file: str) -> Iterator[Credential]:
        """Let an application write its secret into a log, for as long as this lasts."""
        leaked, path = self.held[name][-1], self.door.folder / file
        path.write_text(f"ERROR no answer: grant_type=client_credentials&client_secret={leaked.secret}\n")
        yield leaked
        path.unlink()

    @contextmanager
    def pull_request(self, name: str, old: str, new: str) -> Iterator[None]:
        """Commit the project as it is, and a change to one declaration on a branch; show the change."""
        file = self.door.folder / "stacks" / "demo.py"
        before = file.read_text(encoding="utf-8")
        head, found, rest = before.partition(f'"{name}"')
        if not found or old not in rest:
            raise StoryBroken(f"{name} is not declared as the story says")
        self._git("init", "--quiet", "--initial-branch", "main")
        self._git("add", "stacks")
        self._git("commit", "--quiet", "--message", "Declared")
        self._git("switch", "--quiet", "--create", "more-for-the-exporter")
        file.write_text(head + found + rest.replace(old, new, 1), encoding="utf-8")
        self._git("commit", "--quiet", "--all", "--message", f"Let {name} do more")
        console.print(self._git("diff", "--unified=0", "main", "--", "stacks").strip().splitlines()[-1], markup=False)
        yield
        file.write_text(before, encoding="utf-8")

    def _git(self, *words: str) -> str:
        identity = ("-c", "user.name=demo", "-c", "user.email=demo@example.com", "-c", "commit.gpgsign=false")
        return self.door.run(("git", *identity, *words))

    def refused(self, name: str, held: Credential) -> None:
        """Use a credential that must not work any more."""
        self.say(name, held, self.use(held), works=False)

    def keys(self, name: str) -> set[str]:
        """Show which keys of a client the identity provider takes."""
        found = keys_at_provider(self.place, name)
        short = ", ".join(sorted(key[:8] for key in found))
        console.print(f"  keys of {name} at the identity provider: {short}", soft_wrap=True)
        return found

    def preview_and_up(self, *, again: bool = False) -> None:
        """Show the plan, then apply it; `again` says that it is like one before."""
        if self.verbose or not again:
            self.command(self.door.preview)
        self.command(self.door.up)

    def applications_read(self) -> None:
        """Read each document again as its application does, and use it."""
        used = []
        for name in (*CLIENTS, *KEYS):
            held = read_document(self.place, f"apps/{name}")
            if held not in self.held[name]:
                self.held[name].append(held)
            used.append((name, held))
        self._use_all(used, works=True)
        self.explained = True

    def use(self, held: Credential) -> Answer:
        """Get a token with a credential, or show a key to whoever takes it."""
        if not held.token_url:
            return show_key(self.place, held)
        return get_token(self.place, held, server_time(self.place))

    def say(self, name: str, held: Credential, answer: Answer, *, works: bool) -> None:
        """Show what a credential can do; raises StoryBroken when it is not what must be."""
        self.check(name, held, answer, works=works)
        kind = "private key" if held.private_jwk else "client secret" if held.token_url else "API key"
        whose = "client" if held.token_url else "holder"
        line = Text(f"  {name}: {kind} of generation {held.generation}, {whose} {held.client_id}: ")
        if answer.known_as:
            line.append(f"taken for {answer.known_as}", style="green")
        elif answer.claims is None:
            line.append(f"refused ({answer.error})", style="red")
        else:
            claims = answer.claims
            line.append("token valid", style="green")
            if held.generation == 1 and not self.explained:
                seconds = int(claims["exp"]) - int(claims["iat"])
                line.append(f"\n    for {claims['aud']}, scope {claims['scope']!r}, {seconds} s")
        console.print(line, soft_wrap=True)

    def check(self, name: str, held: Credential, answer: Answer, *, works: bool) -> None:
        """Raise StoryBroken when a credential is not taken, or refused, as it must be."""
        if answer.good is not works:
            raise StoryBroken(f"{name} generation {held.generation}: expected {'success' if works else 'a refusal'}")

    def older_ones(self, *, work: bool) -> None:
        """Use the generations before the present one."""
        self._use_all([(name, held) for name in (*CLIENTS, *KEYS) for held in self.held[name][:-1]], works=work)

    def _use_all(self, used: Sequence[tuple[str, Credential]], *, works: bool) -> None:
        """Use each credential; all that do the same are told in one line, once each was explained."""
        answers = [(name, held, self.use(held)) for name, held in used]
        if self.verbose or not self.explained:
            for name, held, answer in answers:
                self.say(name, held, answer, works=works)
            return
        for name, held, answer in answers:
            self.check(name, held, answer, works=works)
        names = ", ".join(f"{name} (generation {held.generation})" for name, held, _ in answers)
        what, style = ("in use", "green") if works else ("refused", "red")
        console.print(Text(f"  {names}: ").append(what, style=style), soft_wrap=True)

    def pass_time(self, days: int) -> None:
        """Let days pass."""
        self.place.pass_time(timedelta(days=days))
        if self.place.clock_moves:
            until = date.fromisoformat(self.door.environment[LEFT_ALONE_UNTIL]) + timedelta(days=days)
            self.door.environment[LEFT_ALONE_UNTIL] = until.isoformat()
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
    return str(json.loads(jwk)["d"]).encode()
