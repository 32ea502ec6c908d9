"""The page of a series alone."""

from tsuzuki.data.series import Collection
from tsuzuki.report.comparison import series_section
from tsuzuki.report.machine import machine
from tsuzuki.report.page import Page, render
from tsuzuki.report.texts import Both, same, step_of


def series_page(collection: Collection, *, command: str, lang: str = "en") -> str:
    """The page of a collection, as HTML.

    Args:
        collection: the series.
        command: what to run to repeat it.
        lang: the language shown first, en or ja.

    Raises:
        SettingError, MissingExtraError: as `page.check`.
    """
    step = step_of(collection.series[0].step)
    lead = Both(
        f"{len(collection.values):,} steps, one every {step.en}.",
        f"{len(collection.values):,} ステップ、間隔 {step.ja}。",
    )
    page = Page(same(collection.name), lead, (series_section(collection), machine(command)))
    return render(page, lang)
