"""How wrong the tool is: on real siblings with a known answer, and in made-up worlds."""

from cegain.backtest.siblings import (
    DEFAULT_ESTIMATOR,
    LEVELS,
    OTHER_SIZES,
    SMALLER_SIZES,
    Accuracy,
    Backtest,
    BacktestSeries,
    Estimate,
    ModelFacts,
    SiblingPair,
    run_backtest,
    run_noise,
    sibling_pairs,
    summary,
    summed_up,
)
from cegain.backtest.simulation import SCENARIOS, Scenario, SimulatedCell, simulate

__all__ = [
    "DEFAULT_ESTIMATOR",
    "LEVELS",
    "OTHER_SIZES",
    "SCENARIOS",
    "SMALLER_SIZES",
    "Accuracy",
    "Backtest",
    "BacktestSeries",
    "Estimate",
    "ModelFacts",
    "Scenario",
    "SiblingPair",
    "SimulatedCell",
    "run_backtest",
    "run_noise",
    "sibling_pairs",
    "simulate",
    "summary",
    "summed_up",
]
