"""Modules of a project are read from their source, whatever byte code lies beside it.

Python takes byte code for current when the source has the second and the length that it had: an edit of the same length
in the same second, as a script makes it, would be declared by nobody. See PEP 552, "Rationale".
"""

from __future__ import annotations

import sys
import sysconfig
from dataclasses import dataclass
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES, SOURCE_SUFFIXES, ExtensionFileLoader, FileFinder, SourceFileLoader
from pathlib import Path
from types import CodeType


def read_from_source(root: Path) -> None:
    """Have what is imported from the folder `root` from now on compiled from its source. Installed packages are not."""
    hook = _Hook(root)
    if hook not in sys.path_hooks:
        sys.path_hooks.insert(0, hook)
        for known in [path for path in sys.path_importer_cache if hook.has(path)]:
            del sys.path_importer_cache[known]


@cache
def _installed() -> frozenset[str]:
    return frozenset(sysconfig.get_path(name) for name in ("purelib", "platlib"))


class _FromSource(SourceFileLoader):
    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


@dataclass(frozen=True)
class _Hook:
    """Finds the modules of the folders below `root` (an entry of `sys.path_hooks`)."""

    root: Path

    def __call__(self, path: str) -> FileFinder:
        if not self.has(path):
            raise ImportError(path=path)
        return FileFinder(path, (ExtensionFileLoader, EXTENSION_SUFFIXES), (_FromSource, SOURCE_SUFFIXES))

    def has(self, path: str) -> bool:
        folder = Path(path).absolute()
        return folder.is_relative_to(self.root) and not any(folder.is_relative_to(place) for place in _installed())
