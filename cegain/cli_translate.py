"""The commands ``translate``, ``thresholds``, ``horizon`` and ``forecast``.

Each reads ``converters/``, calls the modules of ``cegain.equivalents`` and prints, as text
or as one JSON object in which every number has its unit, its rate and its source.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cegain.console import recomputed, refuse_unknown

if TYPE_CHECKING:
    from cegain.equivalents.converters import Converters
    from cegain.equivalents.draws import Gain
    from cegain.records import Registry

Command = Callable[..., None]


class _Positive(click.FloatRange):
    """A number above zero; refuses nan, which no range of click does."""

    def __init__(self) -> None:
        super().__init__(min=0, min_open=True)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        number = float(super().convert(value, param, ctx))
        if not 0 < number < float("inf"):
            self.fail(f"{value} is not a positive finite number", param, ctx)
        return number


_POSITIVE = _Positive()
_AS_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object.")


def _about_gain(command: Command) -> Command:
    """Options that say how sure a gain given as a number is."""
    for option in (
        click.option(
            "--bound",
            type=click.Choice(["lower", "upper"]),
            help="The gain is only a bound; every statement then is one-sided.",
        ),
        click.option(
            "--level",
            type=click.FloatRange(0.5, 0.999),
            default=0.90,
            show_default=True,
            help="Level of the interval given and of those printed.",
        ),
        click.option(
            "--interval", type=_POSITIVE, nargs=2, help="Low and high end of the gain's interval."
        ),
    ):
        command = option(command)
    return command


@click.command()
@click.argument("what")
@_about_gain
@click.option("--at", "base_flop", type=_POSITIVE, help="Training compute of the model, in FLOP.")
@click.option("--date", "used_on", help="Date the rates are applied on (default: today).")
@click.option("--inference-cost", type=_POSITIVE, help="Cost per task with over without.")
@click.option("--one-time-cost", type=_POSITIVE, help="Compute spent once on it, in FLOP.")
@click.option("--parameters", type=_POSITIVE, help="Active parameters, for the break-even volume.")
@click.option("--tokens", type=_POSITIVE, help="Training tokens of the model.")
@click.option("--series", help="With an enhancement: only comparisons on one series.")
@click.option("--model", help="With an enhancement: only comparisons of one base model.")
@_AS_JSON
@click.pass_obj
def translate(root: Path, /, what: str, as_json: bool, **given: Any) -> None:
    """Say a gain in other units: WHAT is a number or the name of an enhancement.

    Months, effective compute against thresholds, task horizon, net of inference, who
    gains. Uncertainty of the gain and of each rate are carried together.
    """
    from cegain.equivalents.shapes import translation_json
    from cegain.equivalents.telling import translation_lines
    from cegain.equivalents.translation import translate as convert

    converters = _converters(root)
    day = _day(given["used_on"])
    ratio = _ratio(what)
    if ratio is None:
        own = ("interval", "bound", "inference_cost", "one_time_cost", "tokens")
        if any(given[name] for name in own):
            raise click.UsageError(
                "an enhancement brings its own interval, costs and tokens: leave those options out"
            )
        _translate_enhancement(root, converters, what, day, given, as_json=as_json)
        return
    if given["series"] or given["model"]:
        raise click.UsageError("--series and --model go with the name of an enhancement")
    translation = convert(
        _stated(ratio, given),
        converters,
        base_flop=given["base_flop"],
        used_on=day,
        active_parameters=given["parameters"],
        training_tokens=given["tokens"],
    )
    if as_json:
        _emit({"format": 1, "translation": translation_json(translation, converters)})
    else:
        _show(translation_lines(translation, converters))


def _translate_enhancement(
    root: Path,
    converters: Converters,
    name: str,
    day: date,
    given: dict[str, Any],
    *,
    as_json: bool,
) -> None:
    from cegain.equivalents.converters import Quantity
    from cegain.equivalents.draws import Refusal, recorded_gain
    from cegain.equivalents.net_inference import measured_crossovers
    from cegain.equivalents.shapes import plain, translation_json
    from cegain.equivalents.telling import crossover_line, translation_lines
    from cegain.equivalents.translation import translate as convert
    from cegain.registry import load_registry

    registry = load_registry(root)
    refuse_unknown("enhancement", [name], registry.enhancements)
    chosen = [
        gain
        for gain in recomputed(registry).results.gains.values()
        if gain.enhancement == name
        and given["series"] in (None, gain.series)
        and given["model"] in (None, gain.model)
    ]
    if not chosen:
        raise click.UsageError("No comparison matches; see `cegain gains --enhancement`.")
    documents: list[dict[str, Any]] = []
    for record in chosen:
        gain = recorded_gain(record)
        if isinstance(gain, Refusal):
            documents.append({"gain": {"label": record.key}, "refused": gain.reason})
            if not as_json:
                click.echo(f"{record.key}: {gain.reason}\n")
            continue
        at = given["base_flop"]
        translation = convert(
            gain,
            converters,
            base_flop=at,
            used_on=day,
            active_parameters=given["parameters"],
            training_tokens=registry.models[record.model].training_tokens,
            log10_sd=0.0 if at is not None else _spread(registry, record.model),
        )
        documents.append(translation_json(translation, converters))
        if not as_json:
            _show(translation_lines(translation, converters))
            click.echo()
    key, rate = converters.default(Quantity.INFERENCE_EXCHANGE)
    crossed = measured_crossovers(chosen, key, rate)
    if as_json:
        _emit(
            {
                "format": 1,
                "enhancement": name,
                "translations": documents,
                "crossovers": [plain(line) for line in crossed],
            }
        )
    else:
        _show(crossover_line(line) for line in crossed)


@click.command()
@click.option("--gain", type=_POSITIVE, help="A gain, to see which rules it crosses.")
@_about_gain
@click.option("--at", "base_flop", type=_POSITIVE, help="Training compute of the model, in FLOP.")
@click.option("--one-time-cost", type=_POSITIVE, help="Compute spent once on it, in FLOP.")
@click.option("--registry", "count", is_flag=True, help="Count models of the registry above each.")
@_AS_JSON
@click.pass_obj
def thresholds(root: Path, /, count: bool, as_json: bool, **given: Any) -> None:
    """List rules that turn on training compute, and what a gain makes of them.

    With --gain and --at: legal compute, effective compute and the probability that it
    is above. With --registry: how many known models are above, plainly and with the gain.
    """
    from cegain.equivalents.effective_compute import crossings, modification, registry_crossings
    from cegain.equivalents.shapes import thresholds_json
    from cegain.equivalents.telling import threshold_lines

    converters = _converters(root)
    rules = converters.thresholds
    at, cost = given["base_flop"], given["one_time_cost"]
    gain = _stated(given["gain"] or 1.0, given)
    crossed = () if at is None else crossings(gain, at, rules)
    changed = [
        modification(at, cost, key, rule)
        for key, rule in sorted(converters.modification_rules.items())
    ]
    counted = []
    if count:
        from cegain.registry import load_registry

        models = load_registry(root).models
        counted = [
            registry_crossings(gain, models, key, rule) for key, rule in sorted(rules.items())
        ]
    if as_json:
        _emit({"format": 1, **thresholds_json(converters, crossed, counted, changed)})
    else:
        _show(threshold_lines(converters, crossed, counted, changed))


@click.command()
@click.option("--probability", type=click.FloatRange(0.05, 0.95), default=0.5, show_default=True)
@click.option("--draws", type=click.IntRange(10, 20000), default=1000, show_default=True)
@click.option("--gain", type=_POSITIVE, help="A gain, as a factor on the horizon.")
@_about_gain
@click.option("--from", "now", type=_POSITIVE, help="Present horizon in minutes: a projection.")
@click.option("--to", "target", type=_POSITIVE, help="Horizon in minutes to be reached.")
@click.option("--slow-after", type=click.FloatRange(0, 100), default=0.0, help="Years from now.")
@click.option("--slow-factor", type=click.FloatRange(0, 1), default=0.5, help="Growth left then.")
@_AS_JSON
@click.pass_obj
def horizon(root: Path, /, probability: float, draws: int, as_json: bool, **given: Any) -> None:
    """Task horizons of agents by METR's method, and what gains and slowdowns do to them.

    Intervals of agents are at 95 %, as METR prints them; others at --level.
    """
    from cegain.equivalents.horizon import horizon_panel, slowdown
    from cegain.equivalents.shapes import horizons_json, tree
    from cegain.equivalents.success_horizons import horizon_trend, horizons, task_table
    from cegain.equivalents.telling import horizon_lines, horizon_panel_lines, slowdown_lines

    converters = _converters(root)
    now, target = given["now"], given["target"]
    if (now is None) != (target is None):
        raise click.UsageError("a projection needs both --from and --to")
    panel, ahead = None, None
    if given["gain"] is not None:
        panel = horizon_panel(_stated(given["gain"], given), converters, _today())
    if now is not None:
        try:
            ahead = slowdown(
                converters,
                now,
                target,
                slow_after=given["slow_after"],
                slow_factor=given["slow_factor"],
                level=given["level"],
            )
        except ValueError as error:
            raise click.UsageError(str(error)) from None
    found = horizons(task_table(converters.runs), probability, draws=draws)
    trend = horizon_trend(found, converters.agents)
    if as_json:
        _emit(
            {
                "format": 1,
                "probability": probability,
                **horizons_json(found, trend, converters),
                "gain": None if panel is None else tree(panel, converters),
                "projection": None if ahead is None else tree(ahead, converters),
            }
        )
        return
    _show(horizon_lines(found, trend, converters))
    if panel is not None:
        _show(horizon_panel_lines(panel, converters))
    if ahead is not None:
        _show(slowdown_lines(ahead, converters))


@click.command()
@click.option("--threshold", "limits", type=_POSITIVE, multiple=True, help="FLOP; may be repeated.")
@click.option("--year", type=click.IntRange(2025, 2040), default=2028, show_default=True)
@click.option("--gain", type=_POSITIVE, help="A gain that every model is taken to carry.")
@_about_gain
@click.option("--eras", is_flag=True, help="Growth of training compute by era, fitted here.")
@click.option("--simulations", type=click.IntRange(100, 20000), default=1000, show_default=True)
@_AS_JSON
@click.pass_obj
def forecast(
    root: Path,
    /,
    limits: tuple[float, ...],
    year: int,
    simulations: int,
    eras: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """How many models will be above a threshold, with and without a gain.

    Two intervals are printed: quantiles of the cumulative count, and the sum of yearly
    quantiles that the authors of the method publish, which is wider.
    """
    from cegain.equivalents.model_count import forecast as count
    from cegain.equivalents.shapes import tree
    from cegain.equivalents.telling import era_lines, forecast_lines
    from cegain.equivalents.trends import era_trends

    converters = _converters(root)
    level = given["level"]
    gains = [None] if given["gain"] is None else [None, _stated(given["gain"], given)]
    found = [
        count(converters, limit, year, gain=gain, level=level, simulations=simulations)
        for limit in limits or (1e25, 1e26)
        for gain in gains
    ]
    source = converters.table("compute-by-date").source
    trends = era_trends(converters.compute_by_date, source=source) if eras else ()
    if as_json:
        document = {"forecasts": tree(found, converters), "eras": tree(trends, converters)}
        _emit({"format": 1, **document})
        return
    _show(forecast_lines(found, converters))
    if eras:
        _show(era_lines(trends, converters))


def _converters(root: Path) -> Converters:
    from cegain.equivalents.loading import FOLDER, load_converters
    from cegain.starting import curated_registry

    if (root / FOLDER).is_dir():
        return load_converters(root)
    click.echo(f"{root} has no {FOLDER}/: using those of the curated registry.", err=True)
    return load_converters(curated_registry())


def _ratio(text: str) -> float | None:
    try:
        return float(text.rstrip("×x"))
    except ValueError:
        return None


def _today() -> date:
    return datetime.now(UTC).date()


def _day(text: str | None) -> date:
    try:
        return _today() if text is None else date.fromisoformat(text)
    except ValueError:
        raise click.UsageError(f"not a date: {text} (write it as 2026-11-01)") from None


def _stated(ratio: float, given: dict[str, Any]) -> Gain:
    """A gain from the options about it; misuse is refused in words."""
    from cegain.equivalents.draws import Side, stated_gain

    sides = {None: Side.TWO_SIDED, "lower": Side.AT_LEAST, "upper": Side.AT_MOST}
    if given["bound"] is not None and given["interval"]:
        raise click.UsageError("a bound has no interval: leave out --bound or --interval")
    try:
        return stated_gain(
            ratio,
            given["interval"] or None,
            level=given["level"],
            side=sides[given["bound"]],
            label=f"a gain of {ratio:g}×",
            inference_ratio=given.get("inference_cost"),
            one_time_flop=given.get("one_time_cost"),
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def _spread(registry: Registry, model: str) -> float:
    from cegain.scaling import COMPUTE_SD

    confidence = registry.models[model].compute_confidence
    return 0.0 if confidence is None else COMPUTE_SD[confidence]


def _show(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(line)


def _emit(document: dict[str, Any]) -> None:
    click.echo(json.dumps(document, ensure_ascii=False, allow_nan=False))
