"""Loads a stack: a module that exports `stack`, found in the folder `stacks` of the working folder."""

from __future__ import annotations

import importlib
import re
import traceback
from pathlib import Path

from keysteward.core.declare.stack import Stack
from keysteward.core.errors import DeclarationError, KeystewardError
from keysteward.core.what_runs import STACKS
from keysteward.host.stack_modules import import_stacks_from, outside_of_stacks

FOLDER = STACKS
_MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_OWN_PLACE = re.compile(r"([^:\n]+), line \d+: ")


def load_stack(name: str | None) -> Stack:
    """Import the stack of that name, or the only one there is. Raises DeclarationError with one sentence."""
    stack = exported(name)
    if not isinstance(stack, Stack):
        what = "exports no stack" if stack is None else f"exports a {type(stack).__name__} as stack"
        raise DeclarationError(f"module {module_name(name, Path.cwd())} {what}; write: stack = Stack(...)")
    return stack


def exported(name: str | None) -> object:
    """Return what a stack's module exports as its stack, None for nothing. Raises DeclarationError."""
    root = Path.cwd()
    module = module_name(name, root)
    import_stacks_from(root)
    try:
        loaded = importlib.import_module(module)
    except ModuleNotFoundError as error:
        beside = outside_of_stacks(root, error.name or "")
        if beside is not None:
            raise _not_imported(error, beside, root) from None
        if error.name is not None and f"{module}.".startswith(f"{error.name}."):
            raise DeclarationError(f"there is no stack module {module} in {root}; {_known(root)}") from None
        raise _in_module(error, root) from None
    except Exception as error:  # noqa: BLE001 - a stack is a program: anything may be wrong in it
        raise _in_module(error, root) from None
    return getattr(loaded, "stack", None)


def stack_names(root: Path) -> list[str]:
    """Return the names of the modules in the folder `stacks`."""
    folder = root / FOLDER
    if not folder.is_dir():
        return []
    modules = [p.stem for p in folder.glob("*.py") if not p.name.startswith("_")]
    packages = [p.name for p in folder.iterdir() if (p / "__init__.py").is_file()]
    return sorted({*modules, *packages})


def module_name(name: str | None, root: Path) -> str:
    """Return the module of the stack of that name, or of the only one there is. Raises DeclarationError."""
    if name is None:
        names = stack_names(root)
        if len(names) != 1:
            raise DeclarationError(f"no stack was named; {_known(root)}")
        return f"{FOLDER}.{names[0]}"
    if not _MODULE.fullmatch(name):
        raise DeclarationError(f"--stack {name!r} is not the name of a module; {_known(root)}")
    return name if "." in name else f"{FOLDER}.{name}"


def _known(root: Path) -> str:
    names = stack_names(root)
    if not names:
        return f"{root / FOLDER} holds none; go to the project's folder, or name a module with --stack"
    return f"choose one with --stack: {', '.join(names)}"


def _not_imported(error: ModuleNotFoundError, beside: str, root: Path) -> DeclarationError:
    """Tell a stack that imports a file beside the folder `stacks` where that belongs."""
    name = beside.removesuffix(".py")
    return DeclarationError(
        f"{_in_module(error, root)}: {beside} lies outside of {FOLDER}/, the one folder of a project that is imported "
        f"from; move it to {FOLDER}/{beside} and write `from {FOLDER} import {name}`, or install it as a package"
    )


def _in_module(error: Exception, root: Path) -> DeclarationError:
    """Turn what a stack module raised into sentences that name its file and line."""
    if isinstance(error, SyntaxError) and error.filename:
        where = f"{_short(error.filename, root)}, line {error.lineno}"
        return DeclarationError(f"{where}: {type(error).__name__}: {error.msg}")
    frames = [f for f in traceback.extract_tb(error.__traceback__) if Path(f.filename).is_relative_to(root / FOLDER)]
    frames = frames or [
        f for f in traceback.extract_tb(error.__traceback__) if "importlib" not in f.filename and f.filename != __file__
    ]
    where = f"{_short(frames[-1].filename, root)}, line {frames[-1].lineno}" if frames else "stack"
    if isinstance(error, KeystewardError):
        return DeclarationError("\n".join(_placed(sentence, where, root) for sentence in str(error).splitlines()))
    return DeclarationError(f"{where}: {type(error).__name__}: {error}")


def _placed(sentence: str, where: str, root: Path) -> str:
    """Return a sentence with the place that it is about: its own, such as that in a catalog file, if it has one."""
    own = _OWN_PLACE.match(sentence)
    return sentence if own is not None and (root / own[1]).is_file() else f"{where}: {sentence}"


def _short(filename: str, root: Path) -> str:
    path = Path(filename)
    return str(path.relative_to(root)) if path.is_relative_to(root) else filename
