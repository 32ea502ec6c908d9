"""The longer texts of a terminal in Japanese: what a source of readings is, and a verdict."""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tsuzuki.data.series import Collection
    from tsuzuki.experiment.comparison import Comparison

# What begins no line, and what ends none (kinsoku).
NOT_FIRST, NOT_LAST = "、。，．）」』】〕〉》ー〜％%・！？：；", "（「『【〔〈《"


def folded(text: str, width: int) -> str:
    """Break Japanese text between any two letters but within no word of Latin ones; a console would only at spaces."""
    from rich.cells import cell_len

    lines, line = [], ""
    for token in re.findall(rf"[{NOT_LAST}]*(?:[!-~]+|[^!-~\s])[{NOT_FIRST}]*|\s+", text):
        if cell_len(line + token.rstrip()) > width:
            lines.append(line.rstrip())
            line = ""
        line += token.lstrip() if not line else token
    return "\n".join([*lines, line.rstrip()])


def describe(collection: "Collection") -> str:
    """What `data.summary.describe` says."""
    collection = collection.by_clock()
    repairs = collection.repairs
    counts = [
        f"欠測 {repairs.missing:,}",
        f"区間 {len(collection.segments):,}",
        *([f"重複 {repairs.duplicates:,} 件を平均"] if repairs.duplicates else []),
        *([f"{repairs.snapped:,} 件の時刻を格子へ移動"] if repairs.snapped else []),
    ]
    return f"{_first_line(collection)}\n{'、'.join(counts)}"


def describe_data(collection: "Collection", test_fraction: float) -> str:
    """What `experiment.tables.describe_data` says."""
    total, repairs = collection.offsets[-1], collection.repairs
    cuts = zip(collection.offsets, collection.split(test_fraction), strict=False)
    train = sum(cut - start for start, cut in cuts)
    counts = [
        f"欠測 {repairs.missing:,}",
        f"区間 {len(collection.segments):,}",
        *(
            what.format(count)
            for count, what in (
                (repairs.duplicates, "重複 {:,} 件を平均"),
                (repairs.snapped, "{:,} 件の時刻を格子へ移動"),
                (repairs.interpolated, "{:,} ステップを補間"),
                (repairs.open, "長い欠測 {:,} ステップ"),
            )
            if count
        ),
    ]
    return f"{_first_line(collection)}\n{'、'.join(counts)}。学習用 {train:,}、評価用 {total - train:,}"


def _first_line(collection: "Collection") -> str:
    from tsuzuki.report.texts import step_of

    first = min(str(series.times[0].astype("datetime64[D]")) for series in collection.series)
    last = max(str(series.times[-1].astype("datetime64[D]")) for series in collection.series)
    several = f"、{len(collection.series):,} 系列" if len(collection.series) > 1 else ""
    zone = "" if collection.clock is None else f"（{collection.clock}）"
    step = step_of(collection.series[0].step).ja
    return f"{collection.name}: {collection.offsets[-1]:,} ステップ{several}、{step}ごと、{first} 〜 {last}{zone}"


def conclusion(comparison: "Comparison") -> str:
    """The conclusion of a comparison."""
    from tsuzuki.experiment.verdict import conclusions
    from tsuzuki.report.japanese import headline

    return headline(conclusions(comparison)).ja


def verdict(comparison: "Comparison") -> str:
    """What the numbers of a comparison show."""
    from tsuzuki.experiment.verdict import findings
    from tsuzuki.report.japanese import sentence

    return "".join(sentence(finding).ja for finding in findings(comparison))
