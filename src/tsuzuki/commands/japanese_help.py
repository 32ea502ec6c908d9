"""The help of all commands in Japanese: what each does, its arguments and its options."""

from collections.abc import Iterator
from typing import Any

from tsuzuki.commands.japanese import folded

# The widest column of options; a longer one has its explanation on the next line.
MOST_LEFT = 30
COMMANDS = {
    "info": "ファイルの中身（間隔・欠測・周期、またはモデル）を表示します。",
    "fit": "予測モデルを学習し、ファイルに保存します。",
    "search": "取り置いた期間でよりよい設定を探し、その設定で学習します。",
    "forecast": "学習済みモデルで次のステップを予測します。",
    "backtest": "過去の時点からの予測を、強い基準手法と並べて採点します。",
    "plot": "系列を、欠測と区間とともに描きます。",
    "run": "Keras のスクリプトをそのまま、速く動かします。",
    "compare": "状態の引き継ぎの有無を、シードごとに比べます。",
    "stream": "観測値が届くたびに予測し、状態をディスクに保ちます。",
}
# By the English text, so that an option that says something new is missed by a test.
TEXTS = {
    "Train recurrent networks on long time series, the state carried correctly.": "長い時系列でリカレントネットワークを学習し、状態を正しく引き継ぎます。",
    "Exit codes: 0 done, 2 wrong input, 3 diverged, 130 interrupted.": "終了コード: 0 正常、2 入力の誤り、3 発散、130 中断。",
    "Show the version and exit.": "バージョンを表示して終了します。",
    "Show this message and exit.": "この説明を表示して終了します。",
    "Install completion for the current shell.": "使用中のシェルに補完を導入します。",
    "Show completion for the current shell, to copy it or customize the installation.": "使用中のシェルの補完用スクリプトを表示します。",
    "A file, several files as one, or a bundled series: beijing, nyc.": "ファイル（複数なら 1 つとして読みます）、または同梱の系列 beijing、nyc。",
    "The value column, where there are several; given again, or as 'temp*', one series of each.": "値の列。候補が複数あるときに指定します。繰り返すか 'temp*' とすると、それぞれを 1 系列として読みます。",
    "The time column, where it cannot be told.": "日時の列。自動で分からないときに指定します。",
    "Grid that readings are put on first: 30s, 15min, h, D, B, W, MS, QS, YS.": "先に観測値をそろえる間隔: 30s, 15min, h, D, B, W, MS, QS, YS。",
    "What is taken of the readings in a step of --freq: mean, sum, last, max.": "--freq の 1 間隔に入る観測値の集約方法: mean, sum, last, max。",
    "Take the mean where many readings are of the same step.": "同じ時刻の観測値が多くても、平均を取って進みます。",
    "Write the forecasts as CSV; - prints it alone.": "予測を CSV に書きます。- なら CSV だけを表示します。",
    "Write everything as JSON; - prints it alone.": "すべてを JSON に書きます。- なら JSON だけを表示します。",
    "Write all results as JSON; - prints only them.": "すべての結果を JSON に書きます。- なら JSON だけを表示します。",
    "Write a report as one HTML file.": "レポートを 1 つの HTML ファイルに書きます。",
    "Write an HTML page.": "HTML のページを書きます。",
    "Write a PNG picture.": "PNG の図を書きます。",
    "Language, en or ja; that of the environment if not given.": "言語（en または ja）。省略時は環境変数（LANG など）に従います。",
    "Show no progress and no table.": "進み具合と表を表示しません。",
    "Show where an error comes from.": "エラーの発生箇所を表示します。",
    "For files larger than memory: read them once into arrays in this folder, and train on what is drawn.": "メモリーに収まらないファイル用。一度このフォルダーに読み込み、そこから抽出して学習します。",
    # compare
    "simple_rnn, gru or lstm.": "simple_rnn、gru、lstm のいずれか。",
    "Recurrent layers, stacked.": "重ねるリカレント層の数。",
    "Units of each layer.": "各層のユニット数。",
    "Steps of a window.": "ウィンドウのステップ数。",
    "Rows per update.": "1 回の更新に使う行数。",
    "Epochs over all windows.": "全ウィンドウを通すエポック数。",
    "Paired runs.": "シードの数（対応のある比較）。",
    "Of RMSprop.": "RMSprop の学習率。",
    "Share at the end that is held out; 0 trains on all data.": "末尾を評価用に取り分ける割合。0 ならすべて学習に使います。",
    "Longest gap in steps that is interpolated.": "補間する欠測の最大ステップ数。",
    "tsuzuki; or keras to train windows in Keras too.": "tsuzuki、または keras（Keras でも学習して比べます）。",
    # fit, backtest
    "The model file.": "モデルの保存先。",
    "Seconds that trials and training take.": "試行と学習にかける秒数。",
    "Seconds in which `fit` looks for better settings of the networks, on held-out stretches of the training data, and trains those of the best side by side (`recipes`); 0 for none.": "`fit` が学習データの取り置いた期間でネットワークのよりよい設定を探し、よかった設定のネットワークを並べて学習する（`recipes`）秒数。0 なら探しません。",
    "Steps ahead.": "何ステップ先まで予測するか。",
    "Kind of the recurrent layers: simple_rnn, gru or lstm.": "リカレント層の種類: simple_rnn、gru、lstm。",
    "Units of each recurrent layer.": "各リカレント層のユニット数。",
    "Recurrent layers.": "リカレント層の数。",
    "Units of a relu layer before the output; 0 for none.": "出力の前の relu 層のユニット数。0 なら置きません。",
    "Steps through which an update's gradient flows; the state itself is carried without end.": "1 回の更新で勾配をさかのぼるステップ数。状態そのものは途切れず引き継がれます。",
    "Stretches of the data that are read side by side; short data get fewer, long ones up to four times as many.": "並べて読むデータの区間の数。短いデータでは少なく、長いデータでは 4 倍まで増えます。",
    "Passes over the data; short data get more, and data of over 75,000 readings fewer.": "データを通す回数。短いデータでは多く、75,000 件を超えるデータでは少なくなります。",
    "Instead of passes: auto (as many updates as lower the held-out loss), a number of updates of each network such as 5000, or the time to train such as 90s, 5m, 1h. The updates are drawn over series and time.": "回数の代わりに使う予算: auto（検証損失が下がる間）、ネットワークごとの更新回数（5000 など）、学習時間（90s、5m、1h など）。更新は系列と時間から抽出されます。",
    "Highest learning rate; it rises for a twentieth of the updates and then falls along a cosine.": "学習率の最大値。更新の 20 分の 1 で上がり、その後コサインに沿って下がります。",
    "Weight decay of the optimiser, AdamW.": "最適化手法 AdamW の重み減衰。",
    "Networks that are averaged, each trained from another seed and with another stretch held out.": "平均するネットワークの数。シードと検証用の区間を変えて学習します。",
    "Share of the data held out from each network, by time, to choose its best epoch and to calibrate intervals.": "各ネットワークの学習から外す割合（時間で区切る）。最良のエポックと予測区間の調整に使います。",
    "Covariates known up to the present, such as another sensor: one column's name or several.": "現在まで分かっている共変量の列（別のセンサーなど）。1 つまたは複数。",
    "Covariates known ahead, such as a plan.": "先の値が分かっている共変量の列（計画など）。",
    "Covariates that are the same at all times of a series.": "系列ごとに一定の共変量の列。",
    "Country whose public holidays are known ahead by themselves: JP, with a region US-CA, and where times are in UTC with the zone of its dates JP@Asia/Tokyo; empty for none.": "祝日を自動で既知の共変量にする国: JP、地域つきなら US-CA、時刻が UTC のときは日付のタイムゾーンつきで JP@Asia/Tokyo。空なら使いません。",
    "Whether hour, weekday and day of the year are inputs, as far as the grid's step shows them.": "時刻・曜日・年内の日を入力にするか（間隔から分かる範囲で）。",
    "Of the networks: huber, mse, mae; pinball, which is that of quantiles, without any those of the median and of 80 % and 95 % intervals; gaussian, where networks also say how large their errors will be, and intervals widen where they do; poisson or negative_binomial for counts, the ends of whose intervals are whole numbers.": "ネットワークの損失: huber、mse、mae。pinball は分位点の損失（分位点を指定しなければ、中央値と 80%・95% 予測区間のもの）。gaussian では誤差の大きさもネットワークが予測し、それに応じて予測区間の幅が変わります。poisson と negative_binomial は件数用で、予測区間の端は整数になります。",
    "Whether ridge, seasonal naive forecasts, smoothing, drift and means stand beside the networks, each trusted as far as held-out stretches say; not with quantiles.": "リッジ回帰・季節ナイーブ・指数平滑・ドリフト・平均もネットワークと組み合わせるか（検証用の区間の成績で重みを付けます）。分位点とは併用できません。",
    "Forecast that the networks add to: last, season, or auto (of several series with a committee, season where its error is below half of last's; else last).": "ネットワークが差分を加える元の予測: last、season、auto（複数の系列では、season の誤差が last の半分未満なら season、ほかは last）。",
    "Scale of the errors: none, log, asinh, or auto (where a series' spread grows with its level).": "誤差の尺度: none、log、asinh、auto（水準とともにばらつきが増える系列で変換）。",
    "Longest gap in steps that the state is carried through, on the network's own forecasts.": "ネットワーク自身の予測で補って状態を引き継ぐ欠測の最大ステップ数。",
    "Grid that readings are put on first, for sensors without one: 30s, 15min, h, D, B (business days), W, MS, QS, YS; empty to take the readings' own.": "等間隔でない観測値を先にそろえる間隔: 30s, 15min, h, D, B（営業日）, W, MS, QS, YS。空なら観測値の間隔のまま。",
    "What is taken of the readings in a step of `freq`: mean, sum, last or max.": "--freq の 1 間隔に入る観測値の集約方法: mean、sum、last、max。",
    "Same seed, same bits.": "同じシードなら結果はビット単位で同じです。",
    "Go on from here after a crash; the same command again resumes.": "途中経過のファイル。中断しても同じコマンドで再開します。",
    "How often the checkpoint is written: 30s, 5m.": "途中経過を書く間隔: 30s、5m。",
    "Origins to forecast from, at the end of the data; as many as a fifth of it has, up to 52.": "データの末尾に取る予測の起点の数。省略時は末尾の 5 分の 1 に入るだけ（最大 52）。",
    "Train anew at every so many origins, 1 for each; 0 trains once, before the first.": "起点いくつごとに学習し直すか（1 で毎回、0 では最初の起点の前に一度だけ学習）。",
    "Steps between two origins; the horizon if not given.": "起点どうしの間隔（ステップ）。省略時は --horizon と同じ。",
    "Of the intervals, in per cent.": "予測区間の水準（%）。",
    # forecast
    "A file that `tsuzuki fit` wrote.": "`tsuzuki fit` が書いたファイル。",
    "Newer readings to go on from; older ones are passed over.": "続きの新しい観測値。古いものは読み飛ばします。",
    "The columns known ahead, at the times to forecast.": "先の値が分かっている列（予測する時刻のもの）。",
    "Of the intervals, in per cent; 80,95 if not given.": "予測区間の水準（%）。省略時は 80,95。",
    "With --cache: write the forecasts of every series of the files as Parquet.": "--cache とともに使い、全系列の予測を Parquet に書きます。",
    # info, stream, run
    "Readings, in several files as one source; or a model, another file of tsuzuki's, a folder of states.": "観測値のファイル（複数なら 1 つとして読みます）、モデルなど tsuzuki のファイル、または状態のフォルダー。",
    "The folder that keeps the states.": "状態を保つフォルダー。",
    "csv, ndjson, or auto: recognised from the first line.": "csv、ndjson、auto（1 行目から判断）。",
    "allow or refuse names that neither model nor states know; auto: allow them where the model was trained on a single series.": "モデルにも状態にもない系列名を受け入れる（allow）か拒む（refuse）か。auto では、1 系列で学習したモデルなら受け入れます。",
    "Drop the state of this series, which may be damaged.": "この系列の状態（壊れていてもよい）を捨てて始めます。",
    "The input starts from its beginning: skip lines already processed.": "入力が最初から始まるとき、処理済みの行を飛ばします。",
    "Processes that compute side by side, each some series.": "並んで計算するプロセスの数。系列はプロセスに分けられます。",
    "Processes that train side by side, each in one thread.": "並んで学習するプロセスの数。各プロセスは 1 スレッドです。",
    "Workers are those of a Ray cluster: HEAD:6379, auto, or local.": "学習を Ray クラスターで行います: HEAD:6379、auto、local。",
    "Print no messages about single lines.": "個々の行についてのメッセージを表示しません。",
    "The script, as it is.": "スクリプト（変更不要）。",
    "Its own arguments.": "スクリプト自身の引数。",
    "Fail at a call that cannot be swapped.": "置き換えられない呼び出しがあれば失敗にします。",
    "Train in Keras, and say what would be swapped.": "学習は Keras で行い、何を置き換えられるかを示します。",
}
SECTIONS = {"argument": "引数", "option": "オプション"}
WORDS = (("default: ", "既定値: "), ("required", "必須"), ("Example: ", "例: "))


def text_of(english: str) -> str:
    """A help text in Japanese, with its default; as it is where the table has none."""
    plain, _, extra = english.partition("  [")
    found = TEXTS.get(" ".join(plain.split()), plain)
    for word, japanese in WORDS:
        extra = extra.replace(word, japanese)
    return f"{found}（{extra.rstrip(']')}）" if extra else found


def page(command: Any, ctx: Any, groups: dict[str, tuple[str, ...]]) -> str:
    """The whole help of a command.

    Args:
        command: one of Typer's.
        ctx: its context.
        groups: headings and the commands below them, for the help that lists all.
    """
    width = min(80, ctx.max_content_width or 80, ctx.terminal_width or 80, _columns())
    usage = " ".join(["使い方:", ctx.command_path, *command.collect_usage_pieces(ctx)])
    lines = [usage, "", *_indented(COMMANDS.get(command.name, text_of(command.help or "")), 2, width)]
    for kind, heading in SECTIONS.items():
        records = [p.get_help_record(ctx) for p in command.get_params(ctx) if p.param_type_name == kind]
        rows = [(left, text_of(right)) for left, right in filter(None, records)]
        if rows:
            lines += ["", f"{heading}:", *_rows(rows, width)]
    for heading, names in groups.items():
        lines += ["", f"{heading}:", *(f"  {name:<10} {COMMANDS[name]}" for name in names)]
    if command.epilog:
        example = command.epilog.replace("Example: ", "例: ")
        lines += ["", *_indented(TEXTS.get(command.epilog, example), 2, width)]
    return "\n".join(lines) + "\n"


def _columns() -> int:
    import shutil

    return shutil.get_terminal_size().columns


def _indented(text: str, by: int, width: int) -> list[str]:
    return [" " * by + line for line in folded(text, width - by).split("\n")]


def _rows(rows: list[tuple[str, str]], width: int) -> Iterator[str]:
    """Names on the left, explanations beside them, or below where a name is long."""
    column = min(MOST_LEFT, max(len(left) for left, _ in rows)) + 4
    for left, right in rows:
        first, *rest = _indented(right, column, width)
        if len(left) > column - 4:
            yield f"  {left}"
            yield first
        else:
            yield f"  {left:<{column - 2}}{first[column:]}"
        yield from rest
