"""What is said while a script runs, in English and Japanese: the table at the end and the notices of old names.

The language is that of `tsuzuki run --lang`, or else of the environment. What errors say stays in English.
"""

from tsuzuki.formatting import LANGUAGES, of_environment

TEXTS: dict[str, tuple[str, str]] = {
    "old name": (
        "tsuzuki: {old} is an old name; today it is {today}",
        "tsuzuki: {old} は古い名前です。今は {today} です",
    ),
    "left alone": (
        "tsuzuki: calls of models are left to {how}",
        "tsuzuki: モデルの呼び出しはそのまま残します: {how}",
    ),
    "not swapped": ("error: {said}", "エラー: {said}"),
    "swapped": (
        "tsuzuki run: {count} of {total} calls {word}",
        "tsuzuki run: {total} 回の呼び出しのうち {count} 回{word}",
    ),
    "was": ("swapped", "置き換え"),
    "would be": ("would be swapped", "置き換え可能"),
    "where": ("where", "場所"),
    "call": ("call", "呼び出し"),
    "times": ("times", "回数"),
    "seconds": ("seconds", "秒"),
    "yes": ("yes", "はい"),
    "no": ("no", "いいえ"),
    "saved": (
        "  time saved, by a low estimate of what Keras spends beside the arithmetic: {seconds:.1f} s",
        "  短縮した時間（Keras が計算以外に使う時間の控えめな見積もり）: {seconds:.1f} 秒",
    ),
}
# What stands behind "today it is" and is no code.
JAPANESE_WORDS = {
    " before the first layer": "（最初の層の前に置く）",
    " for each stateful layer": "（ステートフルな層ごとに）",
    "an argument of ": "引数の指定先: ",
    " or TensorFlow's own": "、または TensorFlow の関数",
    "left out": "省略",
    ", in batches": "（バッチ数で指定）",
    ", or > 0.5 for a single output": "（出力が 1 つなら > 0.5）",
}


class Spoken:
    """The language that was asked for; empty for that of the environment."""

    lang = ""


def said(key: str, **values: object) -> str:
    """A text of the table in the language that is spoken."""
    return TEXTS[key][LANGUAGES.index(_language())].format(**values)


def name_of_today(english: str) -> str:
    """What stands in place of an old name, in the language that is spoken."""
    if _language() == "ja":
        for words, japanese in JAPANESE_WORDS.items():
            english = english.replace(words, japanese)
    return english


def _language() -> str:
    return Spoken.lang or of_environment()
