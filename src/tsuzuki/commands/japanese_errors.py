"""Errors in Japanese: those that readings, files and options meet on the command line; all others stay English."""

import re

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
    # Of files.
    (
        r"(.+) cannot be read \((.+)\); check its permissions",
        "{0} を読めません（{1}）。読み取りの権限を確かめてください",
    ),
    (r"(.+) is a folder; name a file in it.*", "{0} はフォルダーです。その中のファイルを指定してください"),
    (r"(.+) has a header but no rows; .+", "{0} には見出しだけで、観測値の行がありません"),
    (
        r"(.+) is neither UTF-8 nor cp932 .+",
        "{0} の文字コードは UTF-8 でも cp932（Shift_JIS）でもありません。UTF-8 で保存し直してください",
    ),
    (
        r"(.+) is not text \(it holds NUL bytes\); .+",
        "{0} はテキストではありません。UTF-8 か cp932 の CSV、または Parquet を指定してください",
    ),
    (
        r"(.+) is an archive or an Excel workbook; .+",
        "{0} は書庫か Excel ブックです。展開するか、シートを CSV で保存して、そのファイルを指定してください",
    ),
    (
        r"(.+) is an Excel workbook of the old kind; .+",
        "{0} は古い形式の Excel ブックです。.xlsx か CSV で保存し直してください",
    ),
    (
        r"(.+) is an Excel workbook, which needs the package openpyxl; install it with: (.+), or save the sheet as CSV",
        "{0} は Excel ブックで、パッケージ openpyxl が必要です。次で導入するか、シートを CSV で保存してください: {1}",
    ),
    (
        r"the first sheet of (.+) is empty; .+",
        "{0} の最初のシートが空です。そこに、見出しから始まる観測値を置いてください",
    ),
    (
        r"(.+) begins like Parquet but cannot be read \((.+)\); .+",
        "{0} は Parquet のようですが読めません（{1}）。書き出し直してください",
    ),
    (r"(.+) is no table \((.+)\); .+", "{0} は表として読めません（{1}）。どの行もセルの数をそろえてください"),
    (
        r"the first line of (.+) holds a reading, not the names of its columns \((.+)\); .+",
        "{0} の 1 行目は列名ではなく観測値です（{1}）。その上に time,value のような行を足してください",
    ),
    (
        r"(.+) has a single column \((.+)\); .+",
        "{0} の列は 1 つだけです（{1}）。時刻の列と値の列を、コンマ・セミコロン・タブのどれかで区切ってください",
    ),
    (
        r"line (\d+) of (.+) has (\d+) cells, but the header has (\d+); .+",
        "{1} の {0} 行目のセルは {2} 個ですが、見出しは {3} 個です。小数点がコンマなら、区切りはセミコロンにしてください",
    ),
    (r"(.+) cannot be written \((.+)\); name another place", "{0} に書けません（{1}）。別の場所を指定してください"),
    (r"(.+) cannot be printed; name a file", "{0} は画面には書けません。ファイルを指定してください"),
    (r"(.+) was not written by tsuzuki; .+", "{0} は tsuzuki が書いたファイルではありません"),
    (
        r"(.+) has format (.+), newer than this tsuzuki knows \((.+)\); upgrade tsuzuki",
        "{0} の形式 {1} は、この tsuzuki が知る形式（{2}）より新しいものです。tsuzuki を更新してください",
    ),
    (
        r"(.+) has been altered since it was written .+",
        "{0} は書かれたあとに変わっています（ダイジェストが合いません）。正常な控えを使ってください",
    ),
    (
        r"(.+) is cut short or altered \((.+)\); .+",
        "{0} は途中で切れているか、変わっています（{1}）。正常な控えを使ってください",
    ),
    (
        r"(.+) holds an? (.+), not an? (.+); name another file",
        "{0} の中身は {1} で、{2} ではありません。別のファイルを指定してください",
    ),
    (
        r"(.+) was written by (.+) tsuzuki, whose forecasts are made of other things; .+",
        "{0} は別の版の tsuzuki（{1}）が書いたもので、読めません。学習し直してください",
    ),
    # Of times and values.
    (
        r"(.+) holds numbers, not dates; .+",
        "{0} は日時ではなく数値です。--time で時刻の列を指定するか、2020-01-31 18:00 のように書いてください",
    ),
    (r"(.+) has no dates; .+", "{0} に日時がありません。--time で時刻の列を指定してください"),
    (
        r"column (.+) of (.+) has no date in (.+), where (.+) has a value; .+",
        "{1} の列 {0} の {2} に日時がありません（{3} の値はあります）。日時を書くか、その行を除いてください",
    ),
    (
        r"(.+) has the day first in (.+) \((.+)\) and the month first in (.+) \((.+)\); .+",
        "{0} では、{1}（{2}）は日が先、{3}（{4}）は月が先です。2020-01-31 のように書いてください",
    ),
    (
        r"(.+) holds dates such as ('.+?')(?: in .+)?, and nothing tells whether the day or the month comes first; .+",
        "{0} の {1} のような日付は、日と月のどちらが先か分かりません。2020-01-31 のように書いてください",
    ),
    (
        r"(.+) writes the year with two digits in (.+) \((.+)\); .+",
        "{0} の {1} は年が 2 桁です（{2}）。2020-01-31 のように書いてください",
    ),
    (
        r"(.+) mixes stamps with and without a time zone \((.+): (.+)\); .+",
        "{0} には、タイムゾーンのある時刻とない時刻が混ざっています（{1}: {2}）。どちらかにそろえてください",
    ),
    (
        r"(.+) has (.+) different times; at least 3 are needed to infer its step",
        "{0} の時刻は {1} 種類だけです。間隔を知るには 3 つ以上必要です",
    ),
    (
        r"(.+) has no column beside the time \(it has: (.+)\); .+",
        "{0} には時刻のほかに列がありません（ある列: {1}）。値の列を足してください",
    ),
    (
        r"(.+) holds (.+) in (.+), which is no number; .+",
        "{0} の {2}の {1} は数ではありません。直すか、空にするか、--column で別の列を指定してください",
    ),
    (r"(.+) holds (\S+), not numbers; .+", "{0} は数ではありません（{1}）。--column で別の列を指定してください"),
    (r"(.+) is infinite in (.+); .+", "{0} の {1} が無限大です。欠測ならセルを空にしてください"),
    (
        r"(.+) has no values: all (.+) are missing; .+",
        "{0} には値がありません（{1} 個すべて欠測）。--column で別の列を指定してください",
    ),
    (
        r"freq is (.+); give seconds, minutes, hours or days \((.+)\), or one of (.+) \(business days, weeks, months, quarters, years\)",
        "freq の値 {0} は使えません。秒・分・時・日（{1}）か、{2}（営業日・週・月・四半期・年）のどれかを指定してください",
    ),
    # Of newer readings.
    (
        r"the newest row \((.+)\) is (.+) steps after the last known time \((.+)\); .+",
        "最も新しい行（{0}）は、最後の時刻（{2}）から {1} ステップも先です。時刻を確かめてください",
    ),
    (
        r"(.+) of (.+) newer readings, such as that of (.+), are beside the grid that the model knows of series (.+), one every (.+); .+",
        "新しい観測値 {1} 件のうち {0} 件（{2} など）が、系列 {3} の間隔（{4}）に合いません。合わせるか、--freq を付けて学習し直してください",
    ),
    (
        r"series (.+) was not in the data the forecaster was fitted to \((.+)\); .+",
        "系列 {0} は学習データにありませんでした（ある系列: {1}）。その系列も入れて学習し直してください",
    ),
    # Of options.
    (
        r"--levels is (.+); give percentages such as 80,95",
        "--levels の値 {0} は使えません。80,95 のような百分率を指定してください",
    ),
    (
        r"level (.+) is not a percentage between 0 and 100; .+",
        "予測区間の水準 {0} は 0 と 100 の間の百分率ではありません。80 や 95 のように指定してください",
    ),
    (
        r"validation_fraction is (.+); give a share from 0 to below 0.5",
        "validation_fraction の値 {0} は使えません。0 以上 0.5 未満の割合を指定してください",
    ),
    (
        r"--test-fraction is (.+); give a share of at least 0 and below 1",
        "--test-fraction の値 {0} は使えません。0 以上 1 未満の割合を指定してください",
    ),
    (
        r"--max-gap is (.+); give a number of steps from 0",
        "--max-gap の値 {0} は使えません。0 以上のステップ数を指定してください",
    ),
    (
        r"--seconds is (.+); give a time above 0.+",
        "--seconds の値 {0} は使えません。0 より大きい秒数を指定するか、tsuzuki fit で探索なしに学習してください",
    ),
    (
        r"column (.+) is named twice among past, known and static; .+",
        "列 {0} が --past、--known、--static に 2 度出ています。1 度だけ指定してください",
    ),
    (r"holidays is (.+), of which no holidays are known; (.+)", "holidays の値 {0} の祝日は分かりません（{1}）"),
    (
        r"holidays are read on grids of days or less, and these times are (.+) days apart; .+",
        "祝日を使えるのは日以下の間隔の系列です（この系列は {0} 日間隔）。--holidays を外してください",
    ),
    (
        r"budget is (.+); give auto, .+",
        "budget の値 {0} は使えません。auto、更新回数（5000 など）、時間（90s、5m、1h など）のどれかを指定してください",
    ),
    # Of the columns of a stream's lines.
    (
        r"the header has ('.*'), but the model was trained on ('.*'); .+",
        "見出しには {0} がありますが、モデルは {1} で学習しています。列名をそれに合わせるか、y にしてください",
    ),
    (r"('.*') is no number of the column ('.*'); left out", "{0} は列 {1} の数ではないため、除外します"),
    (
        r"no header of the lines names the column ('.*'), which the model reads; left out",
        "モデルが使う列 {0} が見出しにないため、除外します",
    ),
    (r"(?:--)?workers is (.+); give a whole number from 1", "--workers が {0} です。1 以上の整数を指定してください"),
    (
        r"a cluster needs the package ray; install it with: (.+), or leave the address out",
        "クラスターにはパッケージ ray が必要です。{0} でインストールするか、--ray を外してください",
    ),
    (
        r"Ray cannot be reached at (.+) \(.*\); check the address",
        "{0} の Ray に接続できません。アドレスを確かめてください",
    ),
    (
        r"times in (.+) name a time zone, but those in (.+) none; write both in the same way",
        "{0} の時刻にはタイムゾーンがありますが、{1} にはありません。同じ書き方にそろえてください",
    ),
    (
        r"(.+) reads columns known ahead: (.+); give them in a file: --future FILE",
        "{0} は先の値が分かっている列 {1} を使います。--future FILE で渡してください",
    ),
)


def error(message: str) -> str:
    """An error in Japanese, or as it is where the table has none."""
    for pattern, text in ERRORS:
        if found := re.fullmatch(pattern, message):
            return text.format(*map(_group, found.groups()))
    return message


def _group(text: str) -> str:
    """A part of an English message, where it is words that all messages share."""
    text = re.sub(r"^(?:line|row) (\d+)$", r"\1 行目", text)
    text = re.sub(r"^column ('.*') of (.+)$", r"\2 の列 \1", text)
    text = re.sub(r"^.*Expected (\d+) fields in line (\d+), saw (\d+).*$", r"\2 行目のセルが \1 個でなく \3 個", text)
    if re.fullmatch(r"\S+(?:, \S+)* or \S+", text):
        text = text.replace(", ", "、").replace(" or ", "、")
    return text
