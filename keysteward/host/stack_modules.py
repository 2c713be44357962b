"""Of a project's folder nothing is imported but the package `stacks`: no file beside it can stand in for a package.

A folder on `sys.path` lends every file in it a name: a `hvac.py` that somebody adds there would be imported in place of
the installed package, and a `simplejson.py` by whatever asks whether there is one. So the folder is not on it; a finder
knows the one name.

Modules are read from their source, whatever byte code lies beside it. Python takes byte code for current when the
source has the second and the length that it had: an edit of the same length in the same second, as a script makes it,
would be declared by nobody. See PEP 552, "Rationale".
"""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.machinery import SOURCE_SUFFIXES, FileFinder, ModuleSpec, PathFinder, SourceFileLoader, all_suffixes
from pathlib import Path
from types import CodeType, ModuleType

from keysteward.core.errors import DeclarationError
from keysteward.core.what_runs import STACKS

PROGRAM = "__main__"


def import_stacks_from(root: Path) -> None:
    """Have `stacks` and what is in it imported from that folder of a project from now on, and from no other."""
    sys.meta_path[:] = [_Finder(root), *(each for each in sys.meta_path if not isinstance(each, _Finder))]


def forget_working_folder() -> None:
    """Take the working folder off the front of `sys.path`, where `python -m` puts it; `stacks` is found there still."""
    root = Path.cwd()
    if sys.path and Path(sys.path[0]).resolve() == root.resolve():
        del sys.path[0]
    import_stacks_from(root)


class _FromSource(SourceFileLoader):
    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


@dataclass(frozen=True)
class _Finder:
    """Finds the modules of the folder `stacks` below `root` (an entry of `sys.meta_path`)."""

    root: Path

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find a module by its full name."""
        if fullname.partition(".")[0] != STACKS:
            return None
        for folder in [str(self.root)] if path is None else path:
            found = FileFinder(folder, (_FromSource, SOURCE_SUFFIXES)).find_spec(fullname, target)
            if found is not None:
                return found
        return None


def outside_of_stacks(root: Path, module: str) -> str | None:
    """Return the file or folder of a project that has a module's name and is not imported; None if there is none."""
    name = module.partition(".")[0]
    there = (root / f"{name}.py", root / name) if name.isidentifier() and name != STACKS else ()
    return next((path.name for path in there if path.exists()), None)


def refuse_stand_ins(root: Path) -> None:
    """Raise DeclarationError where a file beside `stacks` would be imported in place of an installed module.

    For programs that others start with the project's folder on `sys.path`, as Pulumi does.
    """
    elsewhere = [entry for entry in sys.path if Path(entry).resolve() != root.resolve()]
    names = [file for file, name in _names(root) if _installed(name, elsewhere)]
    if names:
        raise DeclarationError(
            f"{', '.join(sorted(names))} in {root} would be imported in place of an installed module; remove or rename "
            f"it, or move it into {STACKS}/ and write `from {STACKS} import ...`"
        )


def _names(root: Path) -> Iterator[tuple[str, str]]:
    """Yield each file and package beside `stacks`, with the name by which it could be imported."""
    for path in root.iterdir():
        name = path.name.partition(".")[0]
        package = path.is_dir() and any((path / f"__init__{suffix}").exists() for suffix in all_suffixes())
        if name.isidentifier() and name not in {STACKS, PROGRAM} and (package or path.name.endswith(_SUFFIXES)):
            yield path.name, name


_SUFFIXES = tuple(all_suffixes())


def _installed(name: str, path: list[str]) -> bool:
    """Say whether a name is taken; one that several packages share (`google`) counts where packages are installed."""
    found = None if name in sys.stdlib_module_names else PathFinder.find_spec(name, path)
    if found is None:
        return name in sys.stdlib_module_names
    places = (sysconfig.get_path("purelib"), sysconfig.get_path("platlib"))
    return found.loader is not None or any(
        folder.startswith(places) for folder in found.submodule_search_locations or ()
    )
