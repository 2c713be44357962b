"""The face for adapters kept elsewhere hands on all that the contract asks for."""

from __future__ import annotations

import inspect

import keysteward.contract as face
from keysteward.core import errors
from keysteward.core.contract import capabilities, observed, ports

INNER = {"LeaseHeld", "LimitExceeded"}
"""Errors that the core alone raises."""


def test_every_class_of_the_ports_is_there() -> None:
    for module in (ports, capabilities, observed, errors):
        own = {n for n, v in vars(module).items() if inspect.isclass(v) and v.__module__ == module.__name__}
        missing = {name for name in own if not name.startswith("_")} - set(face.__all__) - INNER
        assert not missing, module.__name__


def test_every_name_is_there_once() -> None:
    assert sorted(face.__all__) == sorted(set(face.__all__))
    assert all(hasattr(face, name) for name in face.__all__)
