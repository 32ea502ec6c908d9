"""The longer texts of a terminal in Japanese: what a source of readings is, a verdict, and the commonest errors."""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tsuzuki.data.series import Collection
    from tsuzuki.experiment.comparison import Comparison

# An error's pattern in English, and what it says in Japanese, with the pattern's groups in their order. Errors that
# stand not here are said in English.
ERRORS: tuple[tuple[str, str], ...] = (
    (
        r"there is no file (.+); check the name, or name a bundled series: (.+)",
        "ファイル {0} がありません。名前を確かめるか、同梱の系列（{1}）を指定してください",
    ),
    (r"there is no file (.+); check the name", "ファイル {0} がありません。名前を確かめてください"),
    (
        r"no file is called like (.+); check the pattern and the folder",
        "{0} に合うファイルがありません。パターンとフォルダーを確かめてください",
    ),
    (r"(.+) is empty; give a file with .+", "{0} は空です。時刻の列と値の列があるファイルを指定してください"),
    (
        r"column '(.+)' is not in (.+) \(it has: (.+)\); name one with --column",
        "列 {0} は {1} にありません（ある列: {2}）。--column で指定してください",
    ),
    (
        r"column '(.+)' is not in (.+) \(it has: (.+)\); name one with --time",
        "列 {0} は {1} にありません（ある列: {2}）。--time で指定してください",
    ),
    (
        r"(.+) has several columns that could hold the values \((.+)\); name one with --column, or all .+",
        "{0} には値の候補の列が複数あります（{1}）。--column で 1 つ選ぶか、--column '*' で全列を系列として読んでください",
    ),
    (
        r"(.+) has no column of dates \(it has: (.+)\); name the time column with --time",
        "{0} に日時の列が見つかりません（ある列: {1}）。--time で指定してください",
    ),
    (
        r"(.+) has several columns of dates \((.+)\); name one with --time",
        "{0} には日時の列が複数あります（{1}）。--time で 1 つ選んでください",
    ),
    (
        r"(.+) follows no regular grid: the most common step is (.+), but times such as (.+) do not fit it; take the "
        r"mean of each step \(or --resample sum, last, max\): (.+)",
        "{0} の時刻は等間隔ではありません（最も多い間隔は {1} ですが、{2} などが合いません）。"
        "間隔ごとの平均を取るには（--resample sum, last, max も可）: {3}",
    ),
    (r"(.+) is constant \((.+) throughout\); .+", "{0} は一定値（{1}）で、学習できるものがありません"),
    (
        r"(.+) of (.+) readings of series '(.+)' in (.+) are of the same (.+) as another; .+",
        "{3} の系列 {2} では、{1} 件のうち {0} 件の観測値が別の観測値と同じ時刻（刻み: {4}）です。"
        "時刻の列か系列名の列を指定するか、--merge で平均を取ってください",
    ),
    (
        r"series '(.+)' has (.+) points, too few for (.+) windows (.+) steps apart .+; at most (.+) windows fit",
        "系列 {0} は {1} 点しかなく、{3} ステップ間隔の {2} 個の起点には足りません。最大 {4} 個です",
    ),
    (
        r"(.+) reads columns known ahead: (.+); give their values after (.+) in a file: --future FILE",
        "{0} は先の値が分かっている列 {1} を使います。{2} より後の値を --future FILE で渡してください",
    ),
    (
        r"future has no (.+) for series ('.*') at (.+); give every forecast time a value of (.+)",
        "--future のファイルに、系列 {1} の {2} の {0} がありません。予測するすべての時刻に {3} の値を入れてください",
    ),
    (
        r"column '(.+)' is not in (.+), where the covariates (.+) are looked for \(it has: (.+)\); .+",
        "共変量 {2} の列 {0} は {1} にありません（ある列: {3}）。列を足すか、--past、--known、--static を直してください",
    ),
    (
        r"(.+) reads no columns known ahead; leave out --future, or fit it with --known",
        "{0} は先の値が分かっている列を使いません。--future を外すか、--known を付けて学習してください",
    ),
    (
        r"(--\S+) names (.+), which is a folder; name a file in it",
        "{0} の {1} はフォルダーです。その中のファイルを指定してください",
    ),
    (
        r"(--\S+) names (.+), but there is no folder (.+); make it first",
        "{0} の {1} を置くフォルダー {2} がありません。先に作ってください",
    ),
    (
        r"(--\S+) names (.+), which is the file that is read; name another file",
        "{0} の {1} は入力ファイルです。別のファイルを指定してください",
    ),
    (r"(.+) is no tsuzuki file, or it is cut short; .+", "{0} は tsuzuki のファイルでないか、途中で切れています"),
    (
        r"(.+) needs the package (.+), which is not installed; install it with: (.+)",
        "{0} にはパッケージ {1} が必要です。次で導入してください: {2}",
    ),
    (r"(--?\S+|\S+) is ('.*'|\S+); choose (.+)", "{0} の値 {1} は使えません。{2} から選んでください"),
    (r"(--?\S+|\S+) is (\S+); give a whole number from 1", "{0} の値 {1} は使えません。1 以上の整数を指定してください"),
    # Of single lines and of the states of `tsuzuki stream`.
    (
        r"('.*') and so on is longer than (.+) bytes; left out",
        "{0} で始まる行は {1} バイトより長いため、除外します",
    ),
    (r"('.*') is no UTF-8; left out", "{0} は UTF-8 ではないため、除外します"),
    (
        r"the series name ('.*') holds what cannot be printed; left out",
        "系列名 {0} に表示できない文字があるため、除外します",
    ),
    (r"the series name ('.*') has blanks around it; left out", "系列名 {0} の前後に空白があるため、除外します"),
    (r"('.*') cannot be split into cells \((.+)\); left out", "{0} を列に分けられないため（{1}）、除外します"),
    (
        r"('.*') is not an object with unique_id, ds and y; left out",
        "{0} は unique_id、ds、y を持つ JSON オブジェクトではないため、除外します",
    ),
    (r"the reading of series ('.*') is infinite; left out", "系列 {0} の値が無限大のため、除外します"),
    (
        r"the reading (.+) of series ('.*') is too far away; left out",
        "系列 {1} の値 {0} は、これまでの値からかけ離れているため、除外します",
    ),
    (
        r"('.*') is no time such as (.+); left out",
        "{0} は {1} のような日時ではないため、除外します",
    ),
    (
        r"('.*') names a time zone, and the model's readings did not; left out",
        "{0} にはタイムゾーンがありますが、学習データにはなかったため、除外します",
    ),
    (
        r"('.*') names no time zone, but the model's readings did; left out",
        "{0} にはタイムゾーンがありませんが、学習データにはあったため、除外します",
    ),
    (
        r"series ('.*') is not known; --new-series allow takes it; left out",
        "系列 {0} はモデルにないため、除外します（--new-series allow で受け入れます）",
    ),
    (
        r"the reading of series ('.*') at (.+) is a second one for (.+), where the series stands; left out",
        "系列 {0} の {1} の値は、時刻 {2} の 2 つ目の値のため、除外します",
    ),
    (
        r"the reading of series ('.*') at (.+) is late: it lies before (.+), where the series stands; left out",
        "系列 {0} の {1} の値は、処理済みの時刻 {2} より前のため、除外します",
    ),
    (
        r"the reading of series ('.*') at (.+) lies beside the grid, (.+) steps from a time that one is due; left out",
        "系列 {0} の {1} の値は、観測されるべき時刻から {2} ステップずれているため、除外します",
    ),
    (r"('.*') is not (\S+); left out", "{0} は {1} の形ではないため、除外します"),
    (
        r"--state (.+) holds the states of another model; .+",
        "--state {0} には別のモデルの状態が入っています。別のフォルダーか、その状態を書いたモデルを指定してください",
    ),
    (
        r"--state (.+) is in use by another process; .+",
        "--state {0} は別のプロセスが使用中です。終わるのを待つか、別のフォルダーを指定してください",
    ),
    (
        r"--state (.+) cannot be used \((.+)\); .+",
        "--state {0} は使えません（{1}）。書き込めるフォルダーを指定してください",
    ),
    (
        r"(.+) is damaged where it holds series ('.*'); .+",
        "{0} の系列 {1} の状態が壊れています。--begin-anew でその系列を始め直すか、正常な控えを使ってください",
    ),
    (r"(.+) is damaged(?: \(.+\)|:.+)?; take an intact copy", "{0} は壊れています。正常な控えを使ってください"),
    (
        r"(.+) holds no states \(there is no .+ in it\); .+",
        "{0} に状態がありません。tsuzuki が書いたファイルかフォルダーを指定してください",
    ),
    (
        r"the header (.+) does not say which column is which; .+",
        "見出し {0} では列が分かりません。unique_id、ds、y という名前にしてください",
    ),
    (
        r"standard output cannot be written \((.+)\); (.+)",
        "標準出力に書けません（{0}）。{1}",
    ),
    (
        r"this needs more memory than is available \((.+)\); .+",
        "メモリーが足りません（{0}）。ネットワークを小さくしてください",
    ),
)


def error(message: str) -> str:
    """An error in Japanese, or as it is where the table has none."""
    for pattern, text in ERRORS:
        if found := re.fullmatch(pattern, message):
            return text.format(*found.groups())
    return message


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
