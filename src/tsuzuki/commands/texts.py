"""What the commands say on a terminal, in English and Japanese: one table, and the language that is spoken.

The language is that of `--lang`, or else of the environment (LC_ALL, LC_MESSAGES, LANG). A command calls `use` first;
from there on `said` gives its texts.
"""

from contextvars import ContextVar

from tsuzuki.errors import SettingError
from tsuzuki.formatting import LANGUAGES, of_environment

_LANGUAGE: ContextVar[str] = ContextVar("language", default="en")

# Placeholders are the same in both.
TEXTS: dict[str, tuple[str, str]] = {
    "compiling": (
        "compiling for this CPU, once (about 6 s) ...",
        "この CPU 用にコンパイルしています（初回のみ、約 6 秒）...",
    ),
    "error": ("error: {said}", "エラー: {said}"),
    "interrupted": ("interrupted", "中断しました"),
    "training": ("training", "学習中"),
    "trial recipe": ("recipe", "設定"),
    "trial share": ("passes", "学習量"),
    "trial error": ("held-out error", "取り置き誤差"),
    "trial seconds": ("s", "秒"),
    "reading and training": ("reading and training", "読み込みと学習中"),
    "forecasting": ("forecasting", "予測中"),
    "forecasts written": ("{rows} forecasts written to {path}", "{rows} 件の予測を {path} に書きました"),
    "training in Keras": ("training in Keras", "Keras で学習中"),
    "resampled": ("the {how}", "{how}"),
    "resampled how": (
        "{how} of {count:,} readings every {freq}",
        "{count:,} 件の観測値を {freq} ごとに集約（{how}）",
    ),
    "mean": ("mean", "平均"),
    "sum": ("sum", "合計"),
    "last": ("last value", "最後の値"),
    "max": ("max", "最大"),
    "not used": ("not used: {columns}", "使わなかった列: {columns}"),
    "newer": ("{name}: {count:,} readings, the last of {last}", "{name}: 観測値 {count:,} 件、最後は {last}"),
    "trained": (
        "trained {networks} x {network} on {points:,} points of {series:,} series in {seconds:.1f} s of training; "
        "written to {path}",
        "{series:,} 系列 {points:,} 点で {networks} x {network} を学習しました（{seconds:.1f} 秒）。保存先: {path}",
    ),
    "next": ("next: {command}", "次の一歩: {command}"),
    "future file": (
        "{command} --future FILE, where FILE has {columns} at the times to forecast",
        "{command} --future FILE（FILE には予測する時刻の {columns} を入れます）",
    ),
    "first of": (
        " {name}, the first of {count:,} series; --report shows more of them",
        " {name}（{count:,} 系列のうち最初のもの。--report でほかの系列も表示）",
    ),
    "picture": ("picture written to {path}", "図を書き出しました: {path}"),
    "no font": (
        "no font has the letters {letters} of the picture; install one: pip install matplotlib-fontja",
        "図に使う文字（{letters} など）のフォントがありません。次で導入してください: pip install matplotlib-fontja",
    ),
    "report": ("report written to {path}", "レポートを書き出しました: {path}"),
    "written": ("written to {path}", "書き出しました: {path}"),
    "series scored": (
        "scored: {some:,} of {every:,} series, drawn by the seed from those that are long enough",
        "採点したのは {every:,} 系列のうち {some:,} 系列（十分に長い系列から seed で選択）",
    ),
    "origins": (
        "{name}: {origins:,} origins from {first} to {last}, {horizon} steps ahead each",
        "{name}: {first} から {last} まで {origins:,} 個の起点、それぞれ {horizon} ステップ先まで",
    ),
    "line": ("line {line}: {text}", "{line} 行目: {text}"),
    "line left out": ("{count} line was left out", "{count} 行を除外しました"),
    "lines left out": ("{count:,} lines were left out", "{count:,} 行を除外しました"),
    "only counted": ("further lines are only counted", "以降の行は件数だけを数えます"),
    "states hold": ("the states hold every line up to {line:,}", "状態には {line:,} 行目までが入っています"),
    "reader gone": (
        "the reader of the forecasts went away; {kept}",
        "予測の読み手がいなくなりました。{kept}",
    ),
    "in unit": ("in {unit}", "単位 {unit}"),
    "skill": ("skill", "スキル"),
    "inside": ("in {level} %", "{level}% 内"),
    "best makes none": (
        "The best reference, {best}, makes no error; tsuzuki's (RMSE) is {rmse:.3g}",
        "最良の基準手法 {best} の誤差は 0 で、tsuzuki の誤差（RMSE）は {rmse:.3g} です",
    ),
    "less than best": (
        "tsuzuki's error (RMSE) is {share:.1%} less than that of the best reference, {best}",
        "tsuzuki の誤差（RMSE）は、最良の基準手法 {best} より {share:.1%} 小さくなりました",
    ),
    "more than best": (
        "tsuzuki's error (RMSE) is {share:.1%} more than that of the best reference, {best}",
        "tsuzuki の誤差（RMSE）は、最良の基準手法 {best} より {share:.1%} 大きくなりました",
    ),
    "covered": (
        "the {level} % intervals covered {share:.0f} %",
        "{level}% 予測区間には実測値の {share:.0f}% が入りました",
    ),
}
# The heads and rows of the comparison's tables.
JAPANESE_HEADS = {
    "ms per\nepoch": "ms/\nエポック",
    "µs per\nupdate": "µs/\n更新",
    "µs per\nsample": "µs/\n標本",
    "running loss\nfirst   last": "学習中の損失\n最初   最後",
    "train\nMSE": "学習用\nMSE",
    "test\nMSE": "評価用\nMSE",
    "\nskill": "\nスキル",
    "RMSE\nunit": "\nRMSE",
    "stateless": "ステートレス",
    "stateful": "ステートフル",
    "streams": "ストリーム",
    "streams, decayed": "〃（減衰）",
    "persistence": "持続予報",
    "running loss\ntsuzuki": "学習中の損失\ntsuzuki",
    "of each epoch\nKeras": "（各エポック）\nKeras",
    "s per epoch\ntsuzuki": "秒/エポック\ntsuzuki",
    "times\nfaster": "\n倍速",
}
# What `tsuzuki info` calls its facts.
JAPANESE_FACTS = {
    "kind": "種類",
    "readings": "観測値",
    "forecaster": "予測モデル",
    "states": "ストリームの状態",
    "model": "モデル",
    "line": "処理済みの行",
    "damaged": "壊れた系列",
    "name": "名前",
    "series": "系列数",
    "ids": "系列",
    "columns": "値の列",
    "not used": "使わない列",
    "only 0 and 1": "0 と 1 だけの列",
    "unit": "単位",
    "zone": "タイムゾーン",
    "time zone": "タイムゾーン",
    "first": "最初",
    "last": "最後",
    "least": "最小",
    "mean": "平均",
    "most": "最大",
    "step": "間隔",
    "no grid": "格子なし",
    "suits": "合う間隔",
    "points": "ステップ数",
    "missing": "欠測",
    "longest gap": "最長の欠測",
    "segments": "区間数",
    "duplicates": "重複",
    "snapped": "格子へ移した数",
    "seasons": "周期",
    "network": "ネットワーク",
    "networks": "ネットワーク数",
    "weights": "重みの数",
    "horizon": "予測ステップ数",
    "last times": "最後の時刻",
    "step seconds": "間隔（秒）",
    "lags": "ラグ",
    "holidays": "祝日",
    "past": "過去の共変量",
    "known": "既知の共変量",
    "static": "静的な共変量",
    "intervals": "予測区間",
    "best epochs": "最良のエポック",
    "validation loss": "検証損失",
    "training seconds": "学習時間（秒）",
    "data fingerprint": "データの指紋",
    "next": "次の一歩",
}
JAPANESE_SEASONS = {"hour": "1 時間", "day": "1 日", "week": "1 週間", "year": "1 年"}


def use(lang: str) -> str:
    """Speak a language from here on.

    Args:
        lang: en or ja; empty for that of the environment.

    Returns:
        The language.

    Raises:
        SettingError: another one.
    """
    chosen = lang or of_environment()
    if chosen not in LANGUAGES:
        _LANGUAGE.set(of_environment())
        raise SettingError(f"--lang is {lang!r}; choose {' or '.join(LANGUAGES)}")
    _LANGUAGE.set(chosen)
    return chosen


def language() -> str:
    """The language that is spoken."""
    return _LANGUAGE.get()


def said(key: str, **values: object) -> str:
    """A text of the table in the language that is spoken."""
    return TEXTS[key][LANGUAGES.index(language())].format(**values)


def folded(text: str, width: int) -> str:
    """A text as a console of some columns is to print it: of Japanese every line broken here."""
    if language() == "en":
        return text
    from tsuzuki.commands import japanese

    return "\n".join(japanese.folded(line, width) for line in text.split("\n"))


def head(english: str) -> str:
    """A head or a row of the comparison's tables."""
    return JAPANESE_HEADS.get(english, english) if language() == "ja" else english


def fact(english: str) -> str:
    """What `tsuzuki info` calls a fact."""
    return JAPANESE_FACTS.get(english, english) if language() == "ja" else english
