"""`keysteward import`: writes catalog files for what exists at a target and is not declared. Changes nothing there."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from keysteward.cli.opening import open_stack
from keysteward.cli.options import JsonOption, StackOption
from keysteward.cli.source.declarations import project_files
from keysteward.cli.source.owners_file import note_unassigned
from keysteward.cli.source.python_source import folders_named_in
from keysteward.cli.terminal import meanwhile, show, show_json
from keysteward.core.contract.facets import key_capabilities
from keysteward.core.contract.ports import Store, Target
from keysteward.core.declare.delivery import Delivery
from keysteward.core.declare.owners import UNASSIGNED
from keysteward.core.drift.importing import ATTRIBUTE, GROUPS, Choices, Draft, Intake, fits, importable, intake
from keysteward.core.drift.survey import Examined, Seen, TargetSight
from keysteward.core.errors import DeclarationError
from keysteward.core.policy.check import check
from keysteward.core.review.codeowners import PLACES as CODEOWNERS
from keysteward.host.strict_yaml import read_file
from keysteward.modules.catalog import SUFFIXES, Entry, catalog, catalog_files, read_entries
from keysteward.modules.catalog_form import NAME_IN_PATH
from keysteward.modules.catalog_writer import catalog_text
from keysteward.operations.loading import FOLDER, module_name
from keysteward.operations.look import logins_at
from keysteward.operations.meant import meant
from keysteward.operations.project import Opened
from keysteward.operations.stack_plan import judge_governed
from keysteward.operations.terraform_state import read_state
from keysteward.report.drift.importing import Imported, import_json, import_lines

UNASSIGNED_FOR = timedelta(days=90)
"""So long imported credentials may be without owner, unless a person says otherwise."""

SCHEMA = "catalog.schema.json"
DAY = ["%Y-%m-%d"]


def command(
    target: Annotated[str, typer.Argument(metavar="TARGET", help="Name of a target of the stack.")],
    *,
    stack: StackOption = None,
    into: Annotated[
        str | None,
        typer.Option("--into", metavar="FOLDER", help="Where files are written. Default: stacks/STACK/imported."),
    ] = None,
    group_by: Annotated[
        str,
        typer.Option(
            "--group-by",
            metavar="WHAT",
            help="How entries are grouped into files: prefix, kind, method, audience, holder, or attribute:NAME.",
        ),
    ] = "prefix",
    until: Annotated[
        datetime | None,
        typer.Option("--until", metavar="DATE", formats=DAY, help="By when owners must be found. Default: in 90 days."),
    ] = None,
    select: Annotated[
        list[str] | None,
        typer.Option("--select", metavar="PATTERN", help="Only what matches a shell pattern; repeatable."),
    ] = None,
    environment: Annotated[
        str | None,
        typer.Option(
            "--environment",
            metavar="NAME",
            help="Environment of what is written. Default: the only one that the target serves, or production.",
        ),
    ] = None,
    deliver_to: Annotated[
        str | None,
        typer.Option(
            "--deliver-to",
            metavar="STORE:PATH",
            help="Where rotated secrets go, with {name} in it. Default: imported/{name} in the one store.",
        ),
    ] = None,
    terraform_state: Annotated[
        list[Path] | None,
        typer.Option("--terraform-state", metavar="FILE", help="Terraform state that manages clients; repeatable."),
    ] = None,
    skip_terraform: Annotated[
        bool, typer.Option("--skip-terraform", help="Leave out what a Terraform state manages.", show_default=False)
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing.", show_default=False)] = False,
    as_json: JsonOption = False,
) -> None:
    """Write declarations, as catalog files, that adopt what exists at a target and is not declared yet.

    It reads the target with the reader's credential and changes nothing there. The next `preview` shows marks only:
    clients keep their settings, and nothing is issued before a rotation is due. Owners are UNASSIGNED, which is a
    finding until the day that the owners file gets in `unassigned_until`.

    Exit code 0: written, or there was nothing to write; 1: an error, and nothing was written.
    """
    opened = open_stack(stack, strict=False)
    place = _Place.of(stack, opened)
    found = place.target(target)
    today = datetime.now(UTC).date()
    folder = _folder(into or f"{FOLDER}/{place.module.rpartition('.')[2]}/imported")
    entries = [] if place.reads(folder) else _written(folder)
    choices = Choices(
        today=today,
        until=_until(opened, until.date() if until is not None else None, today),
        deliver_to=_deliver_to(deliver_to, place.stores),
        environment=_environment(environment, found),
        group_by=_group_by(group_by),
        select=tuple(select or ()),
        managed=_managed(terraform_state or (), found),
        skip_managed=skip_terraform,
        written=frozenset(str(e.fields[name]) for e in entries for name in ("adopt", "client") if name in e.fields),
        taken=frozenset(entry.name for entry in entries),
        servers={
            scope: entry.name
            for entry in entries
            if entry.section == "resource_servers" and entry.fields["target"] == target
            for scope in entry.fields["scopes"]
        },
    )
    seen = _seen(opened, place, found)
    _selected(seen, found, choices.select)
    made = intake(seen, found, choices)
    done = _written_out(_Import(opened, place, found, choices, made, folder), dry_run=dry_run)
    if as_json:
        show_json(import_json(done))
    else:
        show(import_lines(done))


@dataclass(frozen=True)
class _Place:
    """The stack's module: what it calls its targets and stores, those that nothing uses yet too."""

    module: str
    variables: Mapping[str, str]
    targets: Mapping[str, Target]
    stores: Mapping[str, Store]

    @classmethod
    def of(cls, stack: str | None, opened: Opened) -> _Place:
        """Look at the module that was loaded."""
        module = module_name(stack, Path.cwd())
        held = {
            name: value
            for name, value in vars(sys.modules[module]).items()
            if not name.startswith("_") and not isinstance(value, type)
        }
        targets = {v.name: v for v in held.values() if isinstance(v, Target)}
        stores = {v.name: v for v in held.values() if isinstance(v, Store)}
        variables = {value.name: name for name, value in held.items() if isinstance(getattr(value, "name", None), str)}
        return cls(module, variables, {**targets, **opened.stack.targets}, {**stores, **opened.stack.stores})

    def reads(self, folder: str) -> bool:
        """Say whether the stack reads the files of a folder."""
        root = Path.cwd().resolve()
        sources = [path for path in project_files(root, self.module) if path.suffix == ".py"]
        place = (root / folder).resolve()
        return any(place.is_relative_to(read) for read in folders_named_in(root, sources))

    def target(self, name: str) -> Target:
        """Return a target by name. Raises DeclarationError for one that the stack has not, or that lists nothing."""
        found = self.targets.get(name)
        if found is None:
            known = ", ".join(sorted(self.targets)) or "none"
            raise DeclarationError(f"{name!r} is no target of this stack; it has {known}")
        keys = key_capabilities(found)
        if keys is not None and keys.by_hand:
            raise DeclarationError(f"target {name} has no API that lists its keys; declare each as a ManualKey")
        return found

    def called(self, name: str) -> str:
        """Return the variable that holds a target, store or server; its name in quotes where none does."""
        return self.variables.get(name, f'"{name}"')


@meanwhile("Looking ...")
def _seen(opened: Opened, place: _Place, target: Target) -> Seen:
    """Take a look at one target, and at the ledgers: the target's pages are all that it costs there."""
    session = opened.session("reader")
    session.add_ports({target.name: target}, place.stores)
    view, ledgers = session.snapshot.target(target.name), session.snapshot.ledgers
    stack = opened.stack
    identities = {*stack.specs, *ledgers}
    governed = [declared for declared in stack.governed if declared.target.name == target.name]
    return Seen(
        stack=stack,
        owners=opened.owners,
        at=session.snapshot.at,
        targets={target.name: TargetSight(tuple(view.by_id.values()), tuple(view.scopes.values()))},
        credentials={i: Examined(i, stack.specs.get(i), ledgers.get(i)) for i in sorted(identities)},
        servers=session.snapshot.server_ledgers,
        governed=tuple(judge_governed(session, declared) for declared in governed),
        logins=logins_at({target.name: target}),
    )


def _selected(seen: Seen, target: Target, patterns: Iterable[str]) -> None:
    """Refuse a pattern that fits nothing: that nothing was written would read as nothing to write."""
    for pattern in patterns:
        if not any(thing.target == target.name and fits(thing, pattern) for thing in seen.things):
            hint = meant(
                pattern, importable(seen, target), has="to import there are", none="there is nothing to import"
            )
            raise DeclarationError(f"--select: {pattern!r} fits nothing at target {target.name}; {hint}")


def _until(opened: Opened, given: date | None, today: date) -> date:
    """Return the day by which owners are found: that of the owners file, where it has one."""
    stands = opened.owners.unassigned_until
    day = stands or given or today + UNASSIGNED_FOR
    if day <= today:
        what = "unassigned_until of the owners file" if stands else "--until"
        raise DeclarationError(f"{what} ({day}) is over, so that what is imported would be an error; give a later day")
    return day


def _deliver_to(given: str | None, stores: Mapping[str, Store]) -> str:
    """Return the place of every entry. Raises DeclarationError where it cannot be one."""
    if given is None:
        if len(stores) != 1:
            known = ", ".join(sorted(stores)) or "none"
            raise DeclarationError(f'--deliver-to: say in which store (it has {known}): "STORE:imported/{{name}}"')
        return f"{next(iter(stores))}:imported/{NAME_IN_PATH}"
    store, _, path = given.partition(":")
    if store not in stores:
        raise DeclarationError(f"--deliver-to: {store!r} is no store of this stack; it has {', '.join(sorted(stores))}")
    if NAME_IN_PATH not in path:
        raise DeclarationError(f"--deliver-to: the path must hold {NAME_IN_PATH}, so that each gets a place of its own")
    Delivery(stores[store], path.replace(NAME_IN_PATH, "name"))
    return given


def _group_by(given: str) -> str:
    if given not in GROUPS and (not given.startswith(ATTRIBUTE) or given == ATTRIBUTE):
        raise DeclarationError(f"--group-by: {given!r} is none of {', '.join(GROUPS)}; or write {ATTRIBUTE}NAME")
    return given


def _environment(asked: str | None, target: Target) -> str:
    can = [c for c in (target.capabilities, key_capabilities(target)) if c is not None and c.environments is not None]
    only = {name for offered in can for name in offered.environments or ()}
    given = asked or (only.pop() if len(only) == 1 else "production")
    for offered in can:
        if offered.environments is not None and given not in offered.environments:
            serves = ", ".join(offered.environments)
            raise DeclarationError(f"--environment: target {target.name} serves {serves}, not {given!r}")
    return given


def _managed(files: Iterable[Path], target: Target) -> dict[str, str]:
    """Return the ids that state files manage at a target, each with the address there."""
    settings = target.descriptor.settings
    return {
        each: f"managed by Terraform as {managed.address} ({path.name})"
        for path in files
        for managed in read_state(path)
        if managed.lies_in(settings)
        for each in managed.ids
    }


def _folder(given: str) -> str:
    """Return where files go. Raises DeclarationError for a place outside of the project."""
    root = Path.cwd().resolve()
    place = (root / given).resolve()
    if place == root or not place.is_relative_to(root):
        raise DeclarationError(
            f"--into: {given} is no folder inside of the project; write for example {FOLDER}/imported"
        )
    return place.relative_to(root).as_posix()


def _written(folder: str) -> list[Entry]:
    """Return what the files of a folder declare that the stack does not read yet."""
    base, problems = Path.cwd(), list[str]()
    entries: list[Entry] = []
    if (base / folder).is_dir():
        for path in catalog_files(base, folder):
            entries += read_entries(read_file(path, path.relative_to(base).as_posix()), problems)
    if problems:
        raise DeclarationError("\n".join(problems))
    return entries


@dataclass(frozen=True)
class _Import:
    """An import that was decided and is to be written."""

    opened: Opened
    place: _Place
    target: Target
    choices: Choices
    made: Intake
    folder: str


def _written_out(job: _Import, *, dry_run: bool) -> Imported:
    """Write the files, once it is certain that the stack passes its checks with them. Existing files stay."""
    root = Path.cwd()
    texts = {_free(root / job.folder, group): (_text(job, drafts), drafts) for group, drafts in job.made.groups.items()}
    _prove(job, {path.name: text for path, (text, _) in texts.items()})
    files = {path.relative_to(root).as_posix(): drafts for path, (_, drafts) in texts.items()}
    done = Imported(job.opened.stack.identity, job.made, job.folder, files, written=not dry_run)
    if not files:
        return done
    steps = []
    owners = job.opened.stack.owners
    if job.opened.owners.unassigned_until is None:
        note = note_unassigned(owners, job.choices.until, root)
        steps.append(note.words)
        if not dry_run:
            note.write()
    if not dry_run:
        (root / job.folder).mkdir(parents=True, exist_ok=True)
        for path, (text, _) in texts.items():
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
    steps += _next(job)
    return replace(done, unassigned_until=job.choices.until.isoformat(), next=tuple(steps))


def _free(folder: Path, group: str) -> Path:
    """Return a file of a group that is not there yet."""
    number, path = 1, folder / f"{group}.yaml"
    while path.exists():
        number += 1
        path = folder / f"{group}-{number}.yaml"
    return path


def _text(job: _Import, drafts: Iterable[Draft]) -> str:
    sections: dict[str, dict[str, Mapping[str, Any]]] = {}
    for draft in drafts:
        sections.setdefault(draft.section, {})[draft.name] = draft.fields
    choices = job.choices
    defaults: dict[str, Any] = {"target": job.target.name}
    if sections.keys() - {"resource_servers"}:
        defaults |= {"owner": UNASSIGNED, "environment": choices.environment, "deliver_to": choices.deliver_to}
    up = "../" * len(Path(job.folder).parts)
    about = [
        f"Imported on {choices.today} from target {job.target.name}. Give each an owner until {choices.until}.",
        "While an entry says adopt, what it does not speak of stays as it is at the target.",
        *_warnings(sections),
    ]
    return catalog_text(sections, defaults, schema=f"{up}{SCHEMA}", about=about)


def _warnings(sections: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Iterable[str]:
    entries = [fields for section in sections.values() for fields in section.values()]
    if any("accept_gap" in fields for fields in entries):
        yield "accept_gap: the first rotation ends the present secret; before it, let the consumer read deliver_to."
    if "api_keys" in sections:
        yield "classification and expires of API keys are to be looked at: from its last day on a key does not work."


def _prove(job: _Import, texts: Mapping[str, str]) -> None:
    """Read what is to be written, and check the whole stack with it. Raises DeclarationError where that is wrong."""
    stack, place = job.opened.stack, job.place
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / job.folder
        folder.mkdir(parents=True)
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
        if not place.reads(job.folder):
            there = [path.relative_to(job.folder) for path in Path(job.folder).rglob("*") if path.suffix in SUFFIXES]
            for path in there:
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(Path(job.folder) / path, folder / path)
        targets, stores = [*place.targets.values()], [*place.stores.values()]
        made = catalog(job.folder, targets=targets, stores=stores, servers=stack.servers, root=Path(scratch))
    whole = replace(stack, declarations=[*stack.declarations, *made])
    check(whole, job.opened.owners, datetime.now(UTC), strict=False)


def _next(job: _Import) -> Iterable[str]:
    """Say what a person does next: the line that reads the folder, where none does yet, and a preview."""
    place = job.place
    if not place.reads(job.folder):
        stores = ", ".join(place.called(name) for name in sorted({job.choices.deliver_to.partition(":")[0]}))
        servers = ", ".join(place.called(name) for name in job.made.named)
        more = f", servers=[{servers}]" if servers else ""
        line = f'*catalog("{job.folder}", targets=[{place.called(job.target.name)}], stores=[{stores}]{more})'
        yield f"let the stack read them: from keysteward.modules.catalog import catalog; declarations=[..., {line}]"
    yield f"completion in an editor: keysteward schema catalog > {SCHEMA}"
    if any(Path(file).is_file() for files in CODEOWNERS.values() for file in files):
        yield "who approves the new files: keysteward codeowners"
    yield "then: keysteward preview shows adoptions and marks, and nothing else; keysteward up writes them"
