"""Fit one series: from published scores to draws of its compute-to-score curve, judged."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from cegain.anchors import SLOPE_SPREAD
from cegain.bootstrap import draw_bootstrap
from cegain.bounds import left_its_floor
from cegain.curves import CurveData, CurveDraws, Floats
from cegain.families import Families, FamilyDraws, draw_family, trained_alike
from cegain.observations import UNKNOWN_ITEMS
from cegain.posterior import MOST_MODELS, Posterior, draw_posterior
from cegain.records import Arm, ComputeConfidence, Curve, Point, Series
from cegain.resampling import quantiles, seed_for

FIT_METHOD = 4
DRAWS = 1000
SEED = 20231212

# Standard error of log10 training compute by how it is known. Reported sizes and
# token counts against Epoch's estimates differ by 0.06 decades; Epoch's own words
# for its estimates are taken as factors of about 1.4, 1.6 and 3.
COMPUTE_SD: Mapping[ComputeConfidence, float] = {
    ComputeConfidence.REPORTED: 0.06,
    ComputeConfidence.CONFIDENT: 0.15,
    ComputeConfidence.LIKELY: 0.20,
    ComputeConfidence.SPECULATIVE: 0.50,
}


class FitMethod(StrEnum):
    """How uncertainty of a curve is drawn."""

    POSTERIOR = "posterior"
    BOOTSTRAP = "bootstrap"


class FitStatus(StrEnum):
    """Whether a fit may be relied on."""

    SOUND = "sound"
    DOUBTFUL = "doubtful"
    UNUSABLE = "unusable"


@dataclass(frozen=True)
class Residual:
    """One fitted model: where it lies and how far from the median curve (score units)."""

    model: str
    family: str
    log10_compute: float
    score: float
    fitted: float

    @property
    def residual(self) -> float:
        """Observed minus fitted score."""
        return self.score - self.fitted


@dataclass(frozen=True)
class ScalingFit:
    """A series' curve as draws, with its verdict.

    ``draws`` is None exactly when ``status`` is unusable; ``slope_sd`` (K,) goes
    with its rows: the spread of log slopes between families. ``families`` says what
    several sizes of one family show of its own offset and slope; None for a method that
    knows neither. ``log10_range`` is the compute range of the fitted models.
    ``link_weights`` sum to 1.
    """

    series: Series
    method: FitMethod
    status: FitStatus
    reasons: tuple[str, ...]
    n_models: int
    n_families: int
    log10_range: tuple[float, float]
    draws: CurveDraws | None
    slope_sd: Floats | None
    families: Families | None
    link_weights: Mapping[str, float]
    effective_sample_size: float | None
    residuals: tuple[Residual, ...]

    @property
    def rmse(self) -> float | None:
        """Root mean square residual in score units, None where nothing was fitted."""
        if not self.residuals:
            return None
        return math.sqrt(sum(r.residual**2 for r in self.residuals) / len(self.residuals))

    def take(self, rows: NDArray[np.int64]) -> ScalingFit:
        """The same fit on some of its draws; it must have some."""
        if self.draws is None or self.slope_sd is None:
            raise ValueError(f"{self.series.slug} has no draws")
        families = None if self.families is None else self.families.take(rows)
        return replace(
            self, draws=self.draws.take(rows), slope_sd=self.slope_sd[rows], families=families
        )

    def __str__(self) -> str:
        reasons = f": {'; '.join(self.reasons)}" if self.reasons else ""
        return f"{self.series.slug}: {self.status}, {self.n_models} models{reasons}"


def curve_data(series: Series) -> CurveData:
    """Arrays of the fitted points of a series, sorted by model name."""
    points = sorted(series.fitted_points, key=lambda point: point.model)
    models = [series.models[point.model] for point in points]
    families = tuple(sorted({model.family for model in models}))
    return CurveData(
        models=tuple(point.model for point in points),
        families=families,
        log10_compute=np.array([model.log10_compute for model in models], dtype=float),
        compute_sd=np.array(
            [COMPUTE_SD[m.compute_confidence] for m in models if m.compute_confidence]
        ),
        score=np.array([point.score for point in points], dtype=float),
        n_items=np.array([effective_items(point, series) for point in points], dtype=float),
        family=np.array([families.index(model.family) for model in models], dtype=np.int64),
        chance=series.settings.chance,
        ceiling=series.settings.ceiling,
        floor_rule=series.settings.floor.value,
    )


def effective_items(scored: Point | Arm, series: Series) -> float:
    """Items behind a score; a published standard error is turned into its binomial count."""
    if scored.score_se:
        spread = max(scored.score * (1 - scored.score), 1e-3)
        return max(spread / scored.score_se**2, 1.0)
    return float(series.items_of(scored) or UNKNOWN_ITEMS)


def fit_scaling(
    series: Series,
    *,
    method: FitMethod | str = FitMethod.POSTERIOR,
    draws: int = DRAWS,
    seed: int = SEED,
) -> ScalingFit:
    """Fit the curve of one series and judge it.

    A poor fit is a verdict, not an error. The seed of each series derives from
    ``seed`` and its name, so no order or number of workers changes an answer.
    """
    method = FitMethod(method)
    data = curve_data(series)
    spread = (
        (float(data.log10_compute.min()), float(data.log10_compute.max()))
        if len(data)
        else (math.nan, math.nan)
    )
    refusal = _refusal(data, spread)
    if refusal:
        return ScalingFit(
            series,
            method,
            FitStatus.UNUSABLE,
            (refusal,),
            len(data),
            len(data.families),
            spread,
            None,
            None,
            None,
            {},
            None,
            (),
        )
    own_seed = seed_for("fit", series.slug, root=seed)
    curve = series.settings.curve
    ess: float | None = None
    families: Families | None = None
    if method is FitMethod.POSTERIOR:
        links = ("logistic", "gompertz", "richards") if curve is Curve.MIXTURE else (curve.value,)
        posterior = draw_posterior(data, links=links, draws=draws, seed=own_seed)
        found, slope_sd = posterior.draws, posterior.slope_sd
        families = Families(partial(kin, series), partial(_family, posterior, data, series, seed))
        weights = dict(zip(posterior.links, posterior.link_weights, strict=True))
        ess = min(posterior.effective_draws)
        trouble: list[str] = []
    else:
        link = "logistic" if curve is Curve.MIXTURE else curve.value
        # one seed for all series, so that models they share get the same weights
        bootstrap = draw_bootstrap(data, link=link, draws=draws, seed=seed)
        found, weights = bootstrap.draws, {link: 1.0}
        slope_sd = np.full(draws, SLOPE_SPREAD)
        trouble = list(bootstrap.reasons)
    residuals = _residuals(data, found)
    reasons = (*_doubts(series, data, spread, ess, residuals), *trouble)
    status = FitStatus.DOUBTFUL if reasons else FitStatus.SOUND
    return ScalingFit(
        series,
        method,
        status,
        reasons,
        len(data),
        len(data.families),
        spread,
        found,
        slope_sd,
        families,
        weights,
        ess,
        residuals,
    )


def kin(series: Series, model: str) -> tuple[str, ...]:
    """Fitted models of the same family that were trained alike, the model itself included."""
    own = series.models[model]
    return tuple(
        sorted(
            point.model
            for point in series.fitted_points
            for other in [series.models[point.model]]
            if other.family == own.family
            and trained_alike(other.training_tokens, own.training_tokens)
        )
    )


def _family(
    posterior: Posterior, data: CurveData, series: Series, seed: int, members: tuple[str, ...]
) -> FamilyDraws | None:
    if not members:
        return None
    own_seed = seed_for("family", series.slug, series.models[members[0]].family, root=seed)
    return draw_family(posterior.draws, posterior.slope_sd, data, members, seed=own_seed)


def quick_status(data: CurveData) -> FitStatus:
    """Whether points allow a curve at all, without fitting one: unusable, or doubtful at best."""
    if not len(data):
        return FitStatus.UNUSABLE
    spread = (float(data.log10_compute.min()), float(data.log10_compute.max()))
    return FitStatus.UNUSABLE if _refusal(data, spread) else FitStatus.DOUBTFUL


def _refusal(data: CurveData, spread: tuple[float, float]) -> str | None:
    """Why no curve can be read off these points at all, if so."""
    if len(data) > MOST_MODELS:
        return f"{len(data):,} models: at most {MOST_MODELS:,} can be fitted at once"
    if len(data) < 4:
        return f"only {len(data)} models with known compute (4 are needed)"
    if spread[1] - spread[0] < 0.7:
        factor = 10 ** (spread[1] - spread[0])
        return f"models span a factor of only {factor:.1f} in compute (5 is needed)"
    if not left_its_floor(list(data.score), data.chance, data.ceiling):
        return "no model is a tenth of the way from chance to ceiling: the curve is at its floor"
    if not _rises(data):
        return "scores do not rise with compute (slope not told apart from zero)"
    return None


def _rises(data: CurveData) -> bool:
    """Whether scores rise with compute beyond doubt of scatter between families.

    Straight-line slope of score on log10 compute with the larger of the ordinary
    and the family-clustered standard error (CR1); rank correlation must agree.
    """
    x = data.log10_compute - data.log10_compute.mean()
    y = data.score - data.score.mean()
    if np.ptp(data.score) == 0:
        return False
    sxx = float(x @ x)
    slope = float(x @ y) / sxx
    residual = y - slope * x
    plain = float(residual @ residual) / (len(data) - 2) / sxx
    groups = len(data.families)
    clustered = 0.0
    if groups > 1:
        sums = np.bincount(data.family, weights=x * residual, minlength=groups)
        clustered = float(sums @ sums) / sxx**2 * groups / (groups - 1)
    error = math.sqrt(max(plain, clustered))
    rank = float(stats.spearmanr(x, y).statistic)
    return slope > 1.65 * error and rank >= 0.3


def _residuals(data: CurveData, draws: CurveDraws) -> tuple[Residual, ...]:
    grid = np.broadcast_to(data.log10_compute, (len(draws), len(data)))
    fitted = quantiles(draws.score(grid), [0.5])[0]
    return tuple(
        Residual(model, data.families[family], float(x), float(score), float(fit))
        for model, family, x, score, fit in zip(
            data.models, data.family, data.log10_compute, data.score, fitted, strict=True
        )
    )


def _doubts(
    series: Series,
    data: CurveData,
    spread: tuple[float, float],
    ess: float | None,
    residuals: tuple[Residual, ...],
) -> list[str]:
    doubts = []
    if len(data) < 8:
        doubts.append(f"only {len(data)} models")
    if spread[1] - spread[0] < 1.5:
        doubts.append(f"compute spans {spread[1] - spread[0]:.1f} decades")
    if len(data.families) == 1:
        doubts.append("one family only")
    if ess is not None and ess < 200:
        doubts.append(f"effective sample size {ess:.0f}")
    if _grows_with_date(series, residuals):
        doubts.append("residuals grow with release date")
    return doubts


def _grows_with_date(series: Series, residuals: tuple[Residual, ...]) -> bool:
    dated = [
        (released.toordinal(), residual.residual)
        for residual in residuals
        if (released := series.models[residual.model].released)
    ]
    if len(dated) < 8 or len({day for day, _ in dated}) < 3:
        return False
    days, left = zip(*dated, strict=True)
    test = stats.spearmanr(days, left)
    return bool(test.statistic > 0.4 and test.pvalue < 0.01)
