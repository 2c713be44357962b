"""Which cases of a long proof `make test` runs; `make proofs` runs the others, so that the two together run all."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable

import pytest
from _pytest.mark import ParameterSet

SEED = 12
"""Draws the same cases everywhere, so that a failure is found again."""


def sampled(cases: Iterable[object], sample: Collection[object]) -> list[ParameterSet]:
    """Mark the cases that are not of the sample as proofs."""
    return [pytest.param(case, marks=() if case in sample else pytest.mark.proof) for case in cases]


def drawn(cases: Collection[object], number: int) -> list[ParameterSet]:
    """Mark all cases but so many, drawn by chance, as proofs."""
    return sampled(cases, random.Random(SEED).sample(list(cases), number))  # noqa: S311 - no secret
