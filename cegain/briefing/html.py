"""Page data to one self-contained HTML text."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from cegain.briefing.definition import BriefingDefinition, check_definition, parse_definition
from cegain.briefing.page import Page, build_page
from cegain.briefing.scope import NO_EXTRAS, Extras
from cegain.records import Registry
from cegain.results import Results


def _unbroken(value: object) -> object:
    # a number and its per cent sign stay on one line
    return value.replace(" %", "\u00a0%") if isinstance(value, str) else value


@cache
def environment() -> Environment:
    """The templates, with everything escaped that is put into them."""
    # autoescape=True and not select_autoescape: that one does not know *.html.j2
    return Environment(
        loader=PackageLoader("cegain.briefing", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_unbroken,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def style_sheet() -> str:
    """The style of every page."""
    return environment().get_template("style.css").render()


def page_html(page: Page) -> str:
    """The page as HTML; equal pages give equal text."""
    shown = frozenset(section.name for section in page.sections if section.content is not None)
    titles = {section.name: section.title for section in page.sections}
    template = environment().get_template("page.html.j2")
    return template.render(page=page, shown=shown, titles=titles)


def build_briefing(
    registry: Registry,
    results: Results,
    definition: BriefingDefinition | str,
    *,
    name: str = "",
    extras: Extras = NO_EXTRAS,
) -> str:
    """One briefing as a self-contained HTML page; nothing is read or written.

    ``definition`` is a definition or the YAML text of one; ``name`` is the file it
    came from, as printed in the command to make the page again; ``extras`` are what
    is stored beside the results. Raises ``RecordError`` if the definition is wrong,
    names what the registry lacks or raises a grade.
    """
    if isinstance(definition, str):
        definition = parse_definition(definition, name or "briefing")
    check_definition(definition, registry, name or "briefing")
    return page_html(build_page(registry, results, definition, name, extras))
