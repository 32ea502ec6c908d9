"""The sentences of a verdict in Japanese, beside `experiment.verdict.ENGLISH`."""

from typing import Any

from tsuzuki.experiment.verdict import ENGLISH, Finding
from tsuzuki.report.texts import Both

WORDS = {
    "better": "良い",
    "worse": "悪い",
    "lower": "小さい",
    "higher": "大きい",
    "stateless": "ステートレス",
    "stateful": "ステートフル",
    "on the held-out part": "評価用の部分で",
    "on the data they were trained on": "学習に使ったデータで",
    "Streams": "ストリーム",
    "Streams with a decayed rate": "学習率を減衰させたストリーム",
}
JAPANESE = {
    "start_one": "シード 1 個では、ステートフル窓の出だし（最初のエポックの損失）はステートレス窓より {share:.1%} {word}値でした。"
    "シード 1 個では何も言えないので、--seeds 10 を試してください。",
    "start_unclear": "同じ初期値で対にした {seeds} シードでは、状態を引き継いでも出だしに明確な差はありませんでした。"
    "ステートフル窓の最初のエポックの損失は {share:.1%} {word}値です（{seeds} シード中 {won} 個で小さく、"
    "95% 信頼区間は 0 を含みます）。",
    "start_clear": "同じ初期値で対にした {seeds} シードで、ステートフル窓の出だしはステートレス窓より {share:.1%} {word}値でした"
    "（{seeds} シード中 {won} 個で小さい）。",
    "windows_worse": "学習中の損失は良く見えても、どちらの窓も学習後の重みは{part}持続予報に劣ります（誤差は {low:.1f} 倍と "
    "{high:.1f} 倍）。時間順に学習すると、重みが季節を追いかけてしまうためです。",
    "one_worse": "{worse}窓の学習後の重みは{part}持続予報に劣ります。",
    "windows_beat": "どちらの窓も学習後の重みは{part}持続予報に勝ります。",
    "test_unclear": "ステートフル窓とステートレス窓の評価用部分の誤差には、明確な差が見られません。",
    "test_clear": "ステートフル窓の評価用部分の誤差は、ステートレス窓より {share:.0%} {word}値です"
    "（{seeds} シード中 {won} 個で小さい）。",
    "streams_best": "最も良いのは{label}です。状態を引き継いで全ステップを採点でき、同じ再帰計算量で持続予報より二乗誤差が "
    "{share:.0%} 小さくなります。",
    "streams_better": "{label}（状態を引き継いで全ステップを採点）は窓より良いものの、持続予報には届きません。"
    "エポックを増やすと良くなるかもしれません。",
    "streams_no_better": "このデータではストリームは窓より良くなりません。",
}


def sentence(finding: Finding) -> Both:
    """A finding in both languages."""
    values: dict[str, Any] = {
        name: WORDS.get(value, value) if isinstance(value, str) else value for name, value in finding.values.items()
    }
    return Both(ENGLISH[finding.key].format(**finding.values), JAPANESE[finding.key].format(**values))
