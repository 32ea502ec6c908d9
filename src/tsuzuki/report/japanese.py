"""The sentences of a verdict in Japanese, beside those of `experiment.verdict`."""

from collections.abc import Sequence
from typing import Any

from tsuzuki.experiment.verdict import CONCLUSIONS, ENGLISH, Finding
from tsuzuki.report.texts import Both

WORDS = {
    "better": "小さい",
    "worse": "大きい",
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
    "windows_untested": "評価用のデータがないため、学習に使ったデータでの誤差だけを比べています",
    "windows_one": "シード 1 個では、状態の引き継ぎが窓に効くかどうかは判断できません",
    "windows_same": "窓から窓へ状態を引き継いでも、誤差に明確な差はありませんでした",
    "windows_apart": "窓から窓へ状態を引き継ぐと、誤差は {share:.0%} {word}値になりました",
    "best_streams": "状態を引き継いで全ステップを採点するストリームは、持続予報より二乗誤差が {share:.0%} 小さくなりました",
    "best_none": "ストリームは窓より良いものの、持続予報を上回る方法はありませんでした",
    "best_windows": "ストリームは窓より良くならず、最も良い窓は持続予報より二乗誤差が {share:.0%} 小さくなりました",
    "best_persistence": "持続予報を上回る方法はありませんでした",
    "start_one": "シード 1 個では、ステートフル窓の学習初期の損失（最初のエポック）はステートレス窓より {share:.1%} {word}値でした。"
    "シード 1 個では何も言えないので、--seeds 10 を試してください。",
    "start_unclear": "初期値を揃えた {seeds} シードの比較では、状態を引き継いでも学習初期に明確な差はありませんでした。"
    "ステートフル窓の最初のエポックの損失は {share:.1%} {word}値です（{seeds} シード中 {won} 個で小さく、"
    "差の 95% 信頼区間は 0 を含みます）。",
    "start_clear": "初期値を揃えた {seeds} シードの比較で、ステートフル窓の最初のエポックの損失はステートレス窓より "
    "{share:.1%} {word}値でした（{seeds} シード中 {won} 個で小さい）。",
    "windows_worse": "学習後の重みは、どちらの窓も{part}持続予報に劣ります（二乗誤差は {low:.1f} 倍と {high:.1f} 倍）。"
    "重みがデータに合わせて動いている間に測る学習中の損失には、これが表れません。",
    "season_chased": "時間順に学習すると、重みは季節を追いかけます。誤差は、学習が終わった時季の前後の半年では持続予報の {near:.1f} 倍、"
    "反対の季節の半年では {far:.1f} 倍で、どの年も同じ傾向です。",
    "one_worse": "{worse}窓の学習後の重みは{part}持続予報に劣ります。",
    "windows_beat": "どちらの窓も学習後の重みは{part}持続予報に勝ります。",
    "test_unclear": "ステートフル窓とステートレス窓の間で、評価用の部分の誤差に明確な差は見られません。",
    "test_clear": "評価用の部分では、ステートフル窓の誤差はステートレス窓より {share:.0%} {word}値です"
    "（{seeds} シード中 {won} 個で小さい）。",
    "streams_best": "最も良いのは{label}です。状態を引き継いで全ステップを採点でき、同じ再帰計算量で、持続予報より二乗誤差が "
    "{share:.0%} 小さくなります。",
    "streams_better": "{label}（状態を引き継いで全ステップを採点）は窓より良いものの、持続予報には届きません。"
    "エポックを増やすと良くなるかもしれません。",
    "streams_no_better": "このデータでは、ストリームは窓より良くなりません。",
}


def sentence(finding: Finding) -> Both:
    """A finding in both languages."""
    values: dict[str, Any] = {
        name: WORDS.get(value, value) if isinstance(value, str) else value for name, value in finding.values.items()
    }
    return Both((CONCLUSIONS | ENGLISH)[finding.key].format(**finding.values), JAPANESE[finding.key].format(**values))


def headline(halves: Sequence[Finding]) -> Both:
    """The conclusion, one sentence in English and two in Japanese."""
    said = [sentence(one) for one in halves]
    return Both("; ".join(one.en for one in said), "".join(f"{one.ja}。" for one in said))
