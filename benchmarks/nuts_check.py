"""Posterior draws of the curve against NUTS on the same model, series by series.

    python -m benchmarks.nuts_check [--series NAME ...] [--out FILE]

The engine integrates every offset on grids and draws the few curve parameters by
importance sampling. Here the model that ``cegain/likelihood.py`` states is written
again with every model's effective compute and every family's slope as unknowns, and
sampled by NUTS. Only the shared offset of a family is summed out, in closed form:
normal given normal, and drawn back for the families of the compared base models. What
the engine approximates is exact here: slopes of families are not nodes, errors of
compute are not rounded, and nothing has a grid or an edge.

Two samplers agree only up to their Monte-Carlo errors, so both are measured. NUTS:
from the effective sample size at each quantile. The engine: from the spread between
independent runs, which also says how far one run, as users get it, lies from the truth.

Needs NumPyro (``pip install jax jaxlib numpyro``). About 15 minutes.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.metadata import version
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

# before NumPy is loaded: one thread, so that CPU seconds mean the same on both sides
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

import numpy as np
from scipy.stats import beta

from cegain import posterior as engine
from cegain.anchors import Measurement, draw_gain
from cegain.curves import LINK_INDEX, LINKS, CurveData, CurveDraws, Floats
from cegain.families import FamilyDraws, draw_family, reach
from cegain.likelihood import MOST_SPREAD
from cegain.observations import OWN_SLOPE, observe
from cegain.records import Registry
from cegain.registry import load_registry
from cegain.resampling import quantiles
from cegain.scaling import curve_data

SEED = 20231212
CHAINS, WARM_UP, KEPT, THINNING, TARGET_ACCEPT = 4, 1000, 2000, 2, 0.9
RUNS = 24  # independent runs of the engine as shipped, pooled
LONG = 4000, 16000  # importance draws of one long run, before and after adapting
PROBS = (0.05, 0.5, 0.95)
TOLERANCE = 5.0  # percent of the width of the 90 % interval
PINNED = 4.0  # standard errors over chance from which a score pins its model's offset
WHAT = "5, 50 and 95 %; differences and errors in percent of the width of NUTS' 90 % interval"
# Series, and two comparisons measured on each: enhancement, base model, variant.
CASES = {
    "gsm8k-8shot-standard-wei2022": ("chain-of-thought palm-62b", "chain-of-thought palm-540b"),
    "bbh-direct": tuple(
        f"chain-of-thought-bbh-base-models {name}" for name in ("llama-2-13b", "gemma-7b")
    ),
    "mmlu-5shot": (
        "community-instruction-tuning llama-2-7b openhermes-7b",
        "vendor-instruction-tuning mpt-7b mpt-7b-chat",
    ),
}

Gains = dict[str, tuple[Measurement, str]]  # and the family of the base model


@dataclass(frozen=True)
class Drawn:
    """Draws of one link by one sampler, with their cost and how the sampler fared."""

    draws: CurveDraws
    slope_sd: Floats
    families: dict[str, FamilyDraws]
    cpu_seconds: float
    notes: dict[str, float]


def backend() -> Any:
    """NumPyro and JAX in double precision, or how to get them."""
    try:
        infer, diagnostics = (import_module(f"numpyro.{name}") for name in ("infer", "diagnostics"))
    except ImportError as error:
        message = f"{error}. This check needs NumPyro: pip install jax jaxlib numpyro"
        raise SystemExit(message) from None
    jax = import_module("jax")
    jax.config.update("jax_enable_x64", True)
    return SimpleNamespace(
        jax=jax, jnp=import_module("jax.numpy"), infer=infer, diagnostics=diagnostics
    )


def _link(tools: Any, name: str) -> tuple[Any, Any, Any]:
    """A link written anew: its values, its inverse, and its derivative at one half."""
    jnp = tools.jnp
    if name == "logistic":
        return (
            lambda t, _: tools.jax.nn.sigmoid(t),
            lambda p, _: jnp.log(p / (1.0 - p)),
            lambda _: 0.25,
        )
    if name == "gompertz":
        return (
            lambda t, _: jnp.exp(-jnp.exp(-jnp.maximum(t, -6.0))),
            lambda p, _: -jnp.log(-jnp.log(p)),
            lambda _: 0.5 * math.log(2.0),
        )
    return (
        lambda t, shape: -jnp.expm1(-shape * tools.jax.nn.softplus(t)),
        lambda p, shape: jnp.log(jnp.expm1(-jnp.log1p(-p) / shape)),
        lambda shape: 0.5 * shape * (1.0 - 2.0 ** (-1.0 / shape)),
    )


class LatentModel:
    """One link on one series as a joint density of parameters and offsets.

    Unknowns: ``curve``, standard normal a priori but for the location in decades;
    ``slopes``, standard normal, of families of three or
    more; ``place`` of every model: its effective compute, or, where its score pins it,
    where it lies on the link, which NUTS explores faster (hence the Jacobian).
    """

    def __init__(self, tools: Any, data: CurveData, link: str) -> None:
        self.jax, self.jnp, self.link = tools.jax, tools.jnp, link
        self.cdf, self.quantile, self.steepness = _link(tools, link)
        self.data, self.seen = data, observe(data)
        seen = self.seen
        share = np.clip((seen.score - data.chance) / (data.ceiling - data.chance), 0.0, 1.0)
        self.share = float(np.clip(share.mean(), 0.1, 0.9))
        self.low = float(seen.x.min()) - engine.LOCATION_MARGIN
        self.high = float(seen.x.max()) + engine.LOCATION_MARGIN
        self.floor_sd = engine.FLOOR_SD[data.floor_rule]
        self.size = 8 if link == "richards" else 7
        first = np.r_[seen.starts, np.arange(seen.n_shared, len(data))]
        self.count = first.size
        self.family = np.repeat(np.arange(first.size), np.diff(np.r_[first, len(data)]))
        # the first families have a slope of their own; members of others point at the first
        self.sloped_member = np.arange(len(data)) < seen.n_sloped
        self.sloped = np.where(self.sloped_member, self.family, 0)
        error = np.sqrt(seen.variance + engine.SCORE_SD[0] ** 2 + self.floor_sd**2)
        self.pinned = seen.score - data.chance > PINNED * error
        self.shares = np.clip(share, 0.02, 0.98)

    def parameters(self, curve: Any) -> dict[str, Any]:
        """Curve parameters in their own units from coordinates (..., P)."""

        def lognormal(column: int, prior: tuple[float, float]) -> Any:
            return prior[0] * self.jnp.exp(prior[1] * curve[..., column])

        shape = self.jnp.ones_like(curve[..., 0])
        if self.link == "richards":
            shape = lognormal(7, engine.SHAPE)
        slope = lognormal(1, engine.SLOPE) * 0.25 / self.steepness(shape)
        floor = self.data.chance + self.floor_sd * curve[..., 2]
        if self.floor_sd:  # no score is negative
            floor = 0.5 * (floor + self.jnp.sqrt(floor**2 + 0.004**2))
        middle = curve[..., 0] - self.quantile(self.share, shape) / slope
        found = {"slope": slope, "floor": floor, "midpoint": middle, "shape": shape}
        scatter = ("family_sd", "model_sd", "score_sd", "slope_sd")
        for column, name in enumerate(scatter, start=3):
            found[name] = lognormal(column, getattr(engine, name.upper()))
        return found

    def energy(self, unknown: Mapping[str, Any]) -> Any:
        """Minus the log density of everything unknown and of the scores, up to a constant."""
        jnp, seen, curve = self.jnp, self.seen, unknown["curve"]
        p = self.parameters(curve)
        outside = jnp.maximum(0.0, jnp.maximum(self.low - curve[0], curve[0] - self.high))
        prior = -0.5 * jnp.sum(curve[1:] ** 2) - 8.0 * outside**2
        prior += engine.SLOPE[1] * curve[1]  # location flat in logits
        theta = self.places(p, unknown["place"])
        jacobian = -int(np.sum(self.pinned)) * jnp.log(p["slope"])
        centre = seen.x
        if seen.n_sloped_families:
            prior += -0.5 * jnp.sum(unknown["slopes"] ** 2)
            spread = jnp.minimum(p["slope_sd"], MOST_SPREAD)
            factor = jnp.expm1(spread * unknown["slopes"])[self.sloped]
            centre = centre + jnp.where(self.sloped_member, factor * seen.within, 0.0)
        gap = theta - centre
        share = self.cdf(p["slope"] * (theta - p["midpoint"]), p["shape"])
        fitted = p["floor"] + (self.data.ceiling - p["floor"]) * share
        noise = seen.variance + p["score_sd"] ** 2
        scores = -0.5 * jnp.sum((seen.score - fitted) ** 2 / noise + jnp.log(noise))
        return -(prior + jacobian + scores + self.offsets(gap, p["family_sd"], p["model_sd"]))

    def places(self, p: Mapping[str, Any], place: Any) -> Any:
        """Effective computes (..., N) from curve parameters (...) and the unknown places."""
        middle, slope = p["midpoint"][..., None], p["slope"][..., None]
        return self.jnp.where(self.pinned, middle + place / slope, place)

    def shared(
        self, name: str, p: Mapping[str, Floats], found: Mapping[str, Floats], seed: int
    ) -> FamilyDraws:
        """Offset and slope of one family with a slope of its own, from samples (S, ...)."""
        seen = self.seen
        (rows,) = np.nonzero(seen.family == self.data.families.index(name))
        spread = np.minimum(p["slope_sd"], MOST_SPREAD)
        log_slope = spread * found["slopes"][:, self.sloped[rows[0]]]
        theta = np.asarray(self.places(p, found["place"]))[:, rows]
        gap = theta - seen.x[rows] - np.expm1(log_slope)[:, None] * seen.within[rows]
        own = p["model_sd"][:, None] ** 2 + seen.compute_sd[rows] ** 2
        variance = 1.0 / (p["family_sd"] ** -2 + np.sum(1.0 / own, axis=1))
        luck = np.random.default_rng(seed).standard_normal(variance.size)
        offset = variance * np.sum(gap / own, axis=1) + np.sqrt(variance) * luck
        return FamilyDraws(
            centre=float(seen.origin + seen.x[rows].mean()),
            offset=offset,
            log_slope=log_slope,
            reach=reach(self.data, members(self.data, name)),
            calibration=seen.calibration,
        )

    def offsets(self, gap: Any, family_sd: Any, model_sd: Any) -> Any:
        """Log density of whole offsets, the part each family shares summed out."""
        jnp = self.jnp
        own = model_sd**2 + self.seen.compute_sd**2
        total = partial(self.jax.ops.segment_sum, segment_ids=self.family, num_segments=self.count)
        inflation, pull = 1.0 + family_sd**2 * total(1.0 / own), total(gap / own)
        square = jnp.sum(gap**2 / own) - jnp.sum(family_sd**2 * pull**2 / inflation)
        return -0.5 * (square + jnp.sum(jnp.log(own)) + jnp.sum(jnp.log(inflation)))

    def starts(self, rng: np.random.Generator) -> dict[str, Any]:
        """One rough and scattered start per chain."""
        seen = self.seen
        share = self.shares
        offset = np.log(self.share / (1.0 - self.share)) - np.log(share / (1.0 - share))
        curve = 0.3 * rng.standard_normal((CHAINS, self.size))
        curve[:, 0] += np.mean(seen.x + offset / engine.SLOPE[0])
        place = np.where(self.pinned, self.quantile(share, engine.SHAPE[0]), seen.x)
        found = {"curve": curve, "place": place + 0.1 * rng.standard_normal((CHAINS, share.size))}
        size = (CHAINS, seen.n_sloped_families)
        return found | ({"slopes": 0.3 * rng.standard_normal(size)} if size[1] else {})


def members(data: CurveData, family: str) -> list[str]:
    """Models of one family on a series, however they were trained."""
    index = data.families.index(family)
    return [name for name, own in zip(data.models, data.family, strict=True) if own == index]


def by_nuts(tools: Any, data: CurveData, link: str, families: set[str], seed: int) -> Drawn:
    """Draws of one link by NUTS, chain after chain."""
    began = time.process_time()
    model = LatentModel(tools, data, link)
    start = model.starts(np.random.default_rng(seed))
    dense = [("curve", "slopes") if "slopes" in start else ("curve",)]
    tuning = {"target_accept_prob": TARGET_ACCEPT, "dense_mass": dense}
    kernel = tools.infer.NUTS(potential_fn=model.energy, **tuning)
    how = {"num_chains": CHAINS, "chain_method": "sequential", "progress_bar": False}
    how |= {"num_warmup": WARM_UP, "num_samples": KEPT * THINNING, "thinning": THINNING}
    sampler = tools.infer.MCMC(kernel, **how)
    watched = {"init_params": start, "extra_fields": ("diverging", "num_steps")}
    sampler.run(tools.jax.random.PRNGKey(seed), **watched)
    by_chain = {k: np.asarray(v) for k, v in sampler.get_samples(group_by_chain=True).items()}
    found = model.parameters(by_chain["curve"])
    p = {name: np.array(value, dtype=np.float64).ravel() for name, value in found.items()}
    seconds = time.process_time() - began
    flat = {name: v.reshape(-1, v.shape[-1]) for name, v in by_chain.items()}
    kin = {name: model.shared(name, p, flat, seed) for name in sorted(families)}
    p["midpoint"] += model.seen.origin
    p["ceiling"], slope_sd = np.full(p["slope"].size, data.ceiling), p.pop("slope_sd")
    draws = CurveDraws(link=np.full(slope_sd.size, LINK_INDEX[link]), **p)
    extra, known = sampler.get_extra_fields(), by_chain.values()
    rhat, ess = tools.diagnostics.split_gelman_rubin, tools.diagnostics.effective_sample_size
    notes = {"divergences": extra["diverging"].sum(), "mean_steps": extra["num_steps"].mean()}
    notes["worst_rhat"] = max(rhat(v).max() for v in known)
    notes["least_ess"] = min(ess(v).min() for v in known)
    notes = {name: round(float(value), 4) for name, value in notes.items()}
    return Drawn(draws, slope_sd, kin, seconds, notes)


def by_engine(data: CurveData, link: str, families: set[str], seed: int) -> Drawn:
    """As many draws of one link by one run of the engine."""
    began = time.process_time()
    found = engine.draw_posterior(data, links=(link,), draws=CHAINS * KEPT, seed=seed)
    notes, seconds = {"ess": found.effective_draws[0]}, time.process_time() - began
    kin = {}
    for name in sorted(families):
        told = draw_family(found.draws, found.slope_sd, data, members(data, name), seed=seed)
        assert told is not None
        kin[name] = told
    return Drawn(found.draws, found.slope_sd, kin, seconds, notes)


def measurement(registry: Registry, slug: str, case: str) -> tuple[Measurement, str]:
    """One comparison on a fitted model of a series, as numbers, and the model's family."""
    enhancement, name, variant = (*case.split(), None)[:3]
    (found,) = (
        c
        for c in registry.enhancements[str(enhancement)].comparisons
        if (c.series, c.model, c.variant) == (slug, name, variant)
    )
    data, usual = curve_data(registry.benchmarks[slug]), registry.benchmarks[slug].settings.n_items
    row, base, enhanced = data.models.index(found.model), found.baseline, found.enhanced
    x, error = float(data.log10_compute[row]), float(data.compute_sd[row])
    items = base.n_items or usual, enhanced.n_items or usual
    luck = found.paired_se, found.mixed_sources
    measured = Measurement(x, error, base.score, enhanced.score, *items, *luck)
    return measured, data.families[data.family[row]]


def quantities(data: CurveData, gains: Gains, drawn: Drawn, seed: int) -> dict[str, Floats]:
    """What is compared, from one set of draws; gains also from a seed of their own."""
    draws = drawn.draws
    names = ("slope", "midpoint", "floor", "family_sd", "model_sd", "score_sd")
    found: dict[str, Floats] = {name: getattr(draws, name) for name in names}
    found["slope_sd"] = drawn.slope_sd
    for x in np.quantile(data.log10_compute, [0.0, 0.5, 1.0]):
        found[f"score at {x:.2f}"] = draws.score(x)
    for score in np.quantile(data.score, [0.5, 0.95]):
        found[f"compute at {score:.3f}"] = draws.log10_compute(score)
    how: dict[str, Any] = {"chance": data.chance, "seed": seed, "slope_sd": drawn.slope_sd}
    for family, kin in drawn.families.items():
        found |= {f"offset of {family}": kin.offset, f"log slope of {family}": kin.log_slope}
    for name, (measured, family) in gains.items():
        own = drawn.families.get(family)
        found[f"gain {name}"] = draw_gain(draws, measured, family=own, **how).log10_gain
    return found


def nuts_errors(tools: Any, values: Floats) -> Floats:
    """Monte-Carlo standard errors of quantiles of draws that lie chain after chain."""
    errors = []
    for prob, place in zip(PROBS, quantiles(values, PROBS), strict=True):
        under = (values <= place).astype(np.float64).reshape(CHAINS, -1)
        ess = float(tools.diagnostics.effective_sample_size(under))
        around = beta.ppf([0.1587, 0.8413], ess * prob + 1.0, ess * (1.0 - prob) + 1.0)
        errors.append(0.5 * np.ptp(quantiles(values, around)))
    return np.array(errors)


def compare(tools: Any, data: CurveData, link: str, gains: Gains) -> Any:
    """One link on one series: every quantity from NUTS, from runs as shipped, from a long run."""
    size = dict(zip(data.families, np.bincount(data.family), strict=True))
    families = {name for _, name in gains.values() if size[name] >= OWN_SLOPE}
    nuts = by_nuts(tools, data, link, families, SEED)
    seeds = range(SEED, SEED + RUNS)
    runs = [by_engine(data, link, families, seed) for seed in seeds]
    with patch.object(engine, "_FIRST", LONG[0]), patch.object(engine, "_SECOND", LONG[1]):
        long = by_engine(data, link, families, SEED)
    exact = [quantities(data, gains, nuts, seed) for seed in seeds]
    single = [quantities(data, gains, run, seed) for run, seed in zip(runs, seeds, strict=True)]
    many = [quantities(data, gains, long, seed) for seed in seeds]
    mean_ess = float(np.mean([run.notes["ess"] for run in runs]))
    rows = []
    for name in exact[0]:
        # only gains differ from seed to seed where the draws of the curve are the same
        count = RUNS if name.startswith("gain") else 1
        truth, pooled, lengthy = (
            quantiles(np.concatenate([one[name] for one in side]), PROBS)
            for side in (exact[:count], single, many[:count])
        )
        spread = np.std([quantiles(one[name], PROBS) for one in single], axis=0, ddof=1)
        gaps = {"engine_difference": pooled - truth, "long_run_difference": lengthy - truth}
        gaps |= {"nuts_error": nuts_errors(tools, exact[0][name]), "one_run_error": spread}
        gaps["engine_error"] = spread / math.sqrt(RUNS)
        gaps["long_run_error"] = spread * math.sqrt(mean_ess / long.notes["ess"])
        ends = {"nuts": truth, "engine": pooled, "long_run": lengthy}
        percent = 100.0 / (truth[2] - truth[0])
        row: dict[str, Any] = {key: _rounded(v, 4) for key, v in ends.items()}
        row |= {key: _rounded(percent * v, 1) for key, v in gaps.items()}
        rows.append({"quantity": name} | row)
    seconds = float(np.mean([run.cpu_seconds for run in runs]))
    fit: dict[str, Any] = {"link": link, "nuts": {"cpu_seconds": nuts.cpu_seconds} | nuts.notes}
    fit["engine"] = {"cpu_seconds": seconds, "ess": mean_ess}
    fit["long_run"] = {"cpu_seconds": long.cpu_seconds} | long.notes
    return fit | {"rows": rows}


def _rounded(values: Floats, digits: int) -> list[float | str]:
    # JSON has no infinity
    return [round(float(v), digits) if math.isfinite(v) else str(v) for v in values]


def shown(fit: Mapping[str, Any]) -> str:
    """A table of one link on one series."""
    columns = ("nuts", "engine", "engine_difference", "long_run_difference", "nuts_error")
    lines = [f"{fit['series']}, {fit['link']}: 5, 50, 95 % of {', '.join(columns)}"]
    lines += [f"  {side}: {fit[side]}" for side in ("nuts", "engine", "long_run")]
    for row in fit["rows"]:
        cells = (" ".join(f"{float(v):8.3f}" for v in row[key]) for key in columns)
        lines.append(f"  {row['quantity'][:24]:24} {' | '.join(cells)}")
    return "\n".join(lines)


def missed(fits: list[Any], side: str, errors: float = 0.0) -> list[str]:
    """Interval ends further from those of NUTS than allowed and than so many standard errors."""
    found = []
    for fit, i in product(fits, (0, 2)):
        for row in fit["rows"]:
            gap = float(row[f"{side}_difference"][i])
            error = math.hypot(float(row["nuts_error"][i]), float(row[f"{side}_error"][i]))
            if not abs(gap) <= TOLERANCE + errors * error:
                where = f"{fit['series']}, {fit['link']}, {row['quantity']}, {PROBS[i]:.0%}"
                found.append(f"{where}: {gap:+.1f} (standard error {error:.1f})")
    return found


def main(arguments: list[str] | None = None) -> int:
    """Run the check; 1 if a long run of the engine misses ends by more than their errors."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.nuts_check")
    parser.add_argument("--series", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--out", type=Path, help="write the record here as JSON")
    options = parser.parse_args(arguments)
    tools, registry = backend(), load_registry()
    fits: list[Any] = []
    for slug, link in product(options.series, LINKS):
        data = curve_data(registry.benchmarks[slug])
        gains = {case.split()[1]: measurement(registry, slug, case) for case in CASES[slug]}
        fits.append({"series": slug} | compare(tools, data, link.name, gains))
        print(shown(fits[-1]), flush=True)
    packages = ("numpy", "scipy", "jax", "jaxlib", "numpyro")
    record = {
        "what": WHAT,
        "seed": SEED,
        "nuts": {"chains": CHAINS, "warm_up": WARM_UP, "kept": KEPT, "thinning": THINNING},
        "engine": {"runs": RUNS, "draws": CHAINS * KEPT, "long_run": LONG},
        "versions": {"python": platform.python_version()} | {p: version(p) for p in packages},
        "missed": missed(fits, "engine"),
        "missed_by_two_errors": missed(fits, "engine", 2.0),
        "missed_by_long_run": missed(fits, "long_run"),
        "missed_by_long_run_by_two_errors": missed(fits, "long_run", 2.0),
        "fits": fits,
    }
    print(json.dumps({k: v for k, v in record.items() if k.startswith("missed")}, indent=1))
    if options.out:
        options.out.write_text(json.dumps(record) + "\n", encoding="utf-8")
    return 1 if record["missed_by_long_run_by_two_errors"] else 0


if __name__ == "__main__":
    sys.exit(main())
