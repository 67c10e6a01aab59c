"""Pooling from stored results: three studies give a mean, bounds are counted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cegain.gains import Verdict
from cegain.results import GainRecord
from cegain.summarising import pool_stored
from tests.conftest import RegistryFolder
from tests.test_sensitivity import stored_gain


def test_three_studies_give_a_mean_between_them(folder: RegistryFolder) -> None:
    fit, gain = stored_gain(folder)
    made: list[GainRecord] = [
        replace(gain, ratio=ratio, interval=(ratio / 2, ratio * 2), source=f"study-{index}")
        for index, ratio in enumerate((2.0, 4.0, 8.0))
    ]
    bound = replace(gain, verdict=Verdict.LOWER_BOUND, ratio=None, interval=(3.0, None))
    unverified = replace(gain, ratio=1000.0, checked="unverified", source="study-9")
    pooled = pool_stored([*made, bound, unverified], {"demo": fit})
    assert (pooled.gains, pooled.studies, pooled.left_out) == (3, 3, 1)
    assert pooled.pooled is not None
    assert 10**pooled.pooled.estimate == pytest.approx(4.0, rel=0.1)
    assert pooled.pooled.prediction is not None
    assert pooled.pooled.prediction[0] < pooled.pooled.interval[0]
