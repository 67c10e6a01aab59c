"""The ``stitch`` and ``capability`` commands: one scale for all benchmarks, and what it says."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from cegain.records import Registry
    from cegain.stitching.capability import ExchangeRate, Progress
    from cegain.stitching.gain import IndexGain, RoutePair
    from cegain.stitching.heldout import Comparison
    from cegain.stitching.results import StitchFit
    from cegain.stitching.trend import Bend, Forecast

_GAIN_DRAWS = 100


@click.command()
@click.option("--reference", is_flag=True, help="The published index instead of the default.")
@click.option("--registry", "own", is_flag=True, help="Scores of this registry, not the matrix.")
@click.option("--draws", type=click.IntRange(min=0), default=500, help="Refits for intervals.")
@click.option("--held-out", is_flag=True, help="Predict unseen scores, default and reference.")
@click.option("--top", type=click.IntRange(min=1), default=20, help="Models to print.")
@click.option("--json", "as_json", is_flag=True, help="The whole scale as JSON.")
@click.option(
    "--page", type=click.Path(dir_okay=False, path_type=Path), help="Write the scale as a page."
)
@click.pass_obj
def stitch(
    root: Path,
    reference: bool,
    own: bool,
    draws: int,
    held_out: bool,
    top: int,
    as_json: bool,
    page: Path | None,
) -> None:
    """Put models and benchmarks on one capability scale.

    The scores are the matrix behind the Epoch Capabilities Index (capability_data/), or with
    --registry the registry's own, each model with an enhancement kept apart from the plain
    one. Capability is in index points, with 90 % intervals. --page draws the scale as a
    ruler, with a table of everything on it and of what has no place.
    """
    from cegain.registry import load_registry
    from cegain.stitching.data import read_benchmark_facts, read_scores
    from cegain.stitching.fit import fit_reference, fit_scale
    from cegain.stitching.heldout import compare_held_out
    from cegain.stitching.registry_rows import registry_rows
    from cegain.stitching.results import Anchors, to_document
    from cegain.stitching.rows import build_matrix

    if own:
        if reference or held_out:
            raise click.UsageError("--registry has no reference: its anchors are not in there.")
        registry = load_registry(root)
        fit = fit_scale(build_matrix(*registry_rows(registry)), draws=draws)
    else:
        registry = None
        matrix = build_matrix(read_scores(root), read_benchmark_facts(root))
        if held_out:
            found = compare_held_out(matrix)
            click.echo(json.dumps(_held_out(found)) if as_json else _held_out_text(found))
            return
        fit = (
            fit_reference(matrix, draws=draws)
            if reference
            else fit_scale(matrix, draws=draws, anchors=Anchors())
        )
    if page is not None:
        _write_page(root, fit, registry, page)
    elif as_json:
        click.echo(json.dumps(to_document(fit), ensure_ascii=False))
    else:
        _print_scale(fit, top)


def _write_page(root: Path, fit: StitchFit, registry: Registry | None, page: Path) -> None:
    """The scale of a registry's own scores, or that of the matrix where there is none."""
    from cegain.briefing import write_matrix_page, write_own_page

    if registry is None:
        write_matrix_page(root, fit, page)
    else:
        write_own_page(registry, fit, page)
    click.echo(str(page))


def _print_scale(fit: StitchFit, top: int) -> None:
    for model in sorted(fit.models, key=lambda m: -m.capability)[:top]:
        ends = f" ({model.interval[0]:.1f}–{model.interval[1]:.1f})" if model.interval else ""
        note = f"  {model.verdict}: {model.reason}" if model.reason else ""
        click.echo(f"{model.name}  {model.capability:.2f}{ends}  {model.n_benchmarks}{note}")
    judged = [b for b in fit.benchmarks if b.reason]
    for benchmark in judged:
        click.echo(f"{benchmark.name}  {benchmark.verdict}: {benchmark.reason}")
    for lost in fit.excluded[:top]:
        click.echo(f"{lost.name}  {lost.verdict}: {lost.reason}")
    click.echo(
        f"{fit.method}: {len(fit.models)} models, {len(fit.benchmarks)} benchmarks, "
        f"{len(fit.matrix)} scores, objective {fit.objective:.6f}, residual "
        f"{100 * fit.rmse:.1f} points, {len(fit.excluded)} not connected."
    )


def _held_out(found: Comparison) -> dict[str, Any]:
    return {"format": 1, **asdict(found)}


def _held_out_text(found: Comparison) -> str:
    lines = [
        f"{side.method}: RMSE {side.rmse:.4f}, MAE {side.mae:.4f}, log score "
        f"{side.log_score:.3f}, 90 % coverage {side.coverage:.3f}"
        for side in (found.reference, found.default)
    ]
    low, high = found.interval
    lines.append(
        f"RMSE lower by {found.rmse_gain:.4f} (90 %: {low:.4f} to {high:.4f}, by benchmark) on "
        f"{found.default.n_rows:,} scores in {found.folds} folds."
    )
    return "\n".join(lines)


@click.command()
@click.option("--gains", is_flag=True, help="Gains through the registry's own scale.")
@click.option("--enhancement", help="With --gains: only one enhancement.")
@click.option("--by", "target", help="Forecast the record at this date (2027-01-01).")
@click.option("--draws", type=click.IntRange(min=20), help="Refits behind the intervals.")
@click.option("--json", "as_json", is_flag=True, help="Everything as JSON.")
@click.option("--store", "stored", is_flag=True, help="With --gains: keep them in reports/data/.")
@click.pass_obj
def capability(
    root: Path,
    gains: bool,
    enhancement: str | None,
    target: str | None,
    draws: int | None,
    as_json: bool,
    stored: bool,
) -> None:
    """Show capability against compute and date, and gains read through it.

    Prints the exchange rate (index points per factor of ten of compute), algorithmic
    progress per year, a bend in the record trend, and a forecast. With --gains: the
    second route to a gain, verdict "via index", beside the direct gains where both exist;
    --store keeps them for the briefings.
    """
    if stored and (not gains or enhancement):
        raise click.UsageError("--store goes with --gains of every enhancement.")
    from cegain.files import write_text
    from cegain.stitching.documents import VIA_INDEX_PATH, plain_values, stored_text

    if gains:
        document = _gain_document(root, enhancement, draws or _GAIN_DRAWS)
    else:
        document = _trend_document(root, target, draws or 500)
    lines = document.pop("text")
    if stored:
        path = root / VIA_INDEX_PATH
        write_text(path, stored_text(document))
        click.echo(f"Written: {path}", err=True)
    click.echo(json.dumps(plain_values(document), ensure_ascii=False) if as_json else lines)


def _trend_document(root: Path, target: str | None, draws: int) -> dict[str, Any]:
    from cegain.stitching.capability import progress_full, progress_two_step
    from cegain.stitching.data import read_benchmark_facts, read_models, read_rosetta, read_scores
    from cegain.stitching.documents import rate_document
    from cegain.stitching.fit import fit_scale
    from cegain.stitching.gain import backtest_index, scale_observations, scale_rate
    from cegain.stitching.results import Anchors
    from cegain.stitching.rows import build_matrix
    from cegain.stitching.trend import find_bend, forecast

    try:
        on = date.fromisoformat(target) if target else None
    except ValueError as error:
        raise click.UsageError(f"--by wants a date such as 2027-01-01 (got {target})") from error
    matrix = build_matrix(read_scores(root), read_benchmark_facts(root))
    fit = fit_scale(matrix, draws=draws, anchors=Anchors())
    models = read_models(root)
    rate = scale_rate(fit, models)
    seen, columns = scale_observations(fit, models)
    paper = read_rosetta(root)
    progress = progress_full(seen, rate, capability_draws=fit.capability_draws[:, columns])
    published, bends = progress_two_step(paper), (find_bend(paper), find_bend(seen))
    ahead = forecast(seen, on or _year_after_last(seen))
    test = backtest_index(fit, models)
    text = [
        _rate_text(rate),
        *(f"  {f.family}: {f.rate:.1f} ± {f.error:.1f} ({f.n_models})" for f in rate.families),
        _progress_text("this scale, all errors", progress),
        _progress_text("the paper's recipe on the paper's inputs", published),
        _bend_text("the paper's capabilities", bends[0]),
        _bend_text("this scale", bends[1]),
        _forecast_text(ahead),
        f"siblings: {test.n_pairs} known compute ratios in {test.n_families} families, error "
        f"{test.rmse:.2f} decades, {test.coverage:.0%} inside the {test.level:.0%} interval",
    ]
    return {
        "format": 1,
        "exchange_rate": rate_document(rate),
        "progress": asdict(progress),
        "progress_published_recipe": asdict(published),
        "bend_published_inputs": asdict(bends[0]),
        "bend": asdict(bends[1]),
        "forecast": asdict(ahead),
        "backtest": asdict(test),
        "text": "\n".join(text),
    }


def _year_after_last(seen: list[Any]) -> date:
    last = max(o.released for o in seen if o.released)
    return date(last.year + 1, last.month, 1)


def _rate_text(rate: ExchangeRate) -> str:
    return (
        f"exchange rate: {rate.mean:.1f} points per factor of ten of compute "
        f"({rate.level:.0%}: {rate.mean_interval[0]:.1f}–{rate.mean_interval[1]:.1f}; another "
        f"family {rate.interval[0]:.1f}–{rate.interval[1]:.1f})"
    )


def _progress_text(name: str, found: Progress) -> str:
    low, high = found.interval
    return (
        f"algorithmic progress, {name}: {found.factor:.2f}×/yr ({found.level:.0%}: {low:.2f}–"
        f"{high:.2f}, {found.n_models} models)"
    )


def _bend_text(name: str, found: Bend) -> str:
    said = "acceleration" if found.accelerated else "no acceleration"
    return (
        f"record trend, {name}: bend {found.on}, {found.before:.3g} → {found.after:.3g} per year, "
        f"ratio {found.ratio:.2f}, R² {found.r_squared:.3f}: {said} "
        f"(later slope larger in {found.probability_faster:.0%} of draws)"
    )


def _forecast_text(found: Forecast) -> str:
    low, high = found.interval
    return (
        f"record on {found.on}: {found.capability:.1f} ({found.level:.0%}: {low:.1f}–{high:.1f}) "
        f"at {found.per_year:.1f} per year, if the line holds"
    )


def _gain_document(root: Path, enhancement: str | None, draws: int) -> dict[str, Any]:
    from cegain.console import refuse_unknown
    from cegain.registry import load_registry
    from cegain.stitching.documents import (
        gain_document,
        inputs_digest,
        pair_document,
        rate_document,
    )
    from cegain.stitching.fit import fit_scale
    from cegain.stitching.gain import backtest_index, index_gains, scale_rate, side_by_side
    from cegain.stitching.registry_rows import registry_observations, registry_rows
    from cegain.stitching.results import to_document
    from cegain.stitching.rows import build_matrix

    registry = load_registry(root)
    refuse_unknown("enhancement", [enhancement] if enhancement else [], registry.enhancements)
    rows, facts = registry_rows(registry)
    fit = fit_scale(build_matrix(rows, facts), draws=draws)
    models = registry_observations(registry)
    rate = scale_rate(fit, models)
    found = [
        gain
        for gain in index_gains(fit, rate)
        if enhancement is None or gain.enhancement.split("/")[0] == enhancement
    ]
    pairs = side_by_side(_direct_gains(root), found)
    test = backtest_index(fit, models)
    lines = [_gain_text(gain) for gain in sorted(found, key=lambda g: (g.enhancement, g.model))]
    lines += [_pair_text(pair) for pair in pairs]
    lines.append(
        f"{len(found)} gains via index, {len(pairs)} with direct gains beside them, "
        f"{sum(pair.inside for pair in pairs)} of those inside the interval via index; siblings: "
        f"error {test.rmse:.2f} decades, {test.coverage:.0%} inside {test.level:.0%} intervals "
        f"({test.n_pairs} pairs)."
    )
    return {
        "format": 1,
        "inputs": inputs_digest(rows, facts, models),
        "scale": to_document(fit),
        "exchange_rate": rate_document(rate),
        "gains": [gain_document(gain) for gain in found],
        "side_by_side": [pair_document(pair) for pair in pairs],
        "backtest": asdict(test),
        "text": "\n".join(lines),
    }


def _direct_gains(root: Path) -> list[Any]:
    from cegain.errors import CegainError
    from cegain.stitching.gain import DirectGain
    from cegain.store import read_results

    try:
        stored = read_results(root).gains.values()
    except CegainError:
        return []  # nothing stored yet: the index route stands alone
    direct = []
    for gain in stored:
        if gain.ratio is None or not gain.has_ratio:
            continue
        name = f"{gain.enhancement}/{gain.variant}" if gain.variant else gain.enhancement
        low, high = (None if end is None else math.log10(end) for end in gain.interval)
        direct.append(
            DirectGain(gain.model, name, gain.series, math.log10(gain.ratio), (low, high))
        )
    return direct


def _gain_text(gain: IndexGain) -> str:
    why = f" [{gain.reasons[0]}]" if gain.log10_ratio is None else ""
    return f"{gain.enhancement}  {gain.model}  {gain}  {gain.shared} benchmarks{why}"


def _pair_text(pair: RoutePair) -> str:
    from cegain.formatting import interval, ratio

    return (
        f"{pair.enhancement}  {pair.model}: direct {ratio(pair.direct)} "
        f"(curves {interval(*pair.direct_range)}, {pair.n_series}), {pair.via_index}"
    )
