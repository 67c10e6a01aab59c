"""Numbers as text: never more digits than are known."""

from __future__ import annotations

import math

import pytest

from cegain import formatting


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (8.49, "8.5×"),
        (26.1, "26×"),
        (3900, "3,900×"),
        (0.934, "0.93×"),
        (0.0123, "0.012×"),
        (9.96, "10×"),
        (1.0, "1.0×"),
        (1e9, "10⁹×"),
        (1e-6, "10⁻⁶×"),
    ],
)
def test_ratio(ratio: float, text: str) -> None:
    assert formatting.ratio(math.log10(ratio)) == text


def test_interval_says_which_end_is_open() -> None:
    assert formatting.interval(0.0, 1.0) == "1.0–10×"
    assert formatting.interval(1.0, None) == "at least 10×"
    assert formatting.interval(None, 1.0) == "at most 10×"
    assert formatting.interval(None, None) == "unbounded"


@pytest.mark.parametrize(
    ("flop", "text"),
    [(3.14e23, "3.1×10²³"), (1e25, "10²⁵"), (9.99e22, "10²³"), (2.25e20, "2.2×10²⁰")],
)
def test_compute(flop: float, text: str) -> None:
    assert formatting.compute(flop) == text


def test_shares_never_claim_certainty() -> None:
    assert formatting.share(0.996) == "over 99 %"
    assert formatting.share(0.004) == "under 1 %"
    assert formatting.share(1.0) == "100 %"
    assert formatting.count(1, "family", "families") == "1 family"
    assert formatting.count(2, "family", "families") == "2 families"


def test_no_draws_show_certainty() -> None:
    assert [formatting.probability(p) for p in (0.0, 0.5, 1.0)] == [
        "under 1 %",
        "50 %",
        "over 99 %",
    ]
