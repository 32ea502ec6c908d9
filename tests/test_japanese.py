"""What the commands say in Japanese: every text with the values of its English, real errors, whole lines."""

import ast
import importlib.util
import re
import string
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from typer.main import get_command

from test_cli import run
from test_terminal import COMMANDS
from tsuzuki.cli import app
from tsuzuki.commands import texts
from tsuzuki.commands.grouped import GROUPS, JAPANESE_HEADINGS, asked
from tsuzuki.commands.japanese import NOT_FIRST, NOT_LAST, folded
from tsuzuki.commands.japanese_errors import ERRORS, error
from tsuzuki.commands.japanese_help import COMMANDS as JAPANESE_HELP
from tsuzuki.commands.japanese_help import TEXTS as HELP_TEXTS
from tsuzuki.commands.usage_errors import in_japanese
from tsuzuki.errors import SettingError
from tsuzuki.formatting import of_environment

SMALL = ["--horizon", "3", "--units", "3", "--ensemble", "1", "--epochs", "1"]
JAPANESE = re.compile("[ぁ-んァ-ヶ一-龠]")
ENVIRONMENT = {"LC_ALL": "ja_JP.UTF-8", "COLUMNS": "80"}


def fields_of(text):
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("key", texts.TEXTS)
def test_both_languages_of_a_text_take_the_same_values(key):
    english, japanese = texts.TEXTS[key]
    assert fields_of(english) == fields_of(japanese)
    assert JAPANESE.search(japanese) or key in ("error", "resampled")


def test_heads_facts_and_commands_have_their_japanese():
    for table in (texts.JAPANESE_HEADS, texts.JAPANESE_FACTS, texts.JAPANESE_SEASONS, JAPANESE_HELP, JAPANESE_HEADINGS):
        assert all(JAPANESE.search(japanese) or japanese in ("〃（減衰）", "\nRMSE") for japanese in table.values())
    assert sorted(JAPANESE_HELP) == COMMANDS
    assert list(JAPANESE_HEADINGS) == list(GROUPS)


def test_what_is_said_of_a_running_script_has_its_japanese(monkeypatch):
    # Read by itself: the package acts when it is imported.
    folder = Path(texts.__file__).parents[1] / "autofit"
    spec = importlib.util.spec_from_file_location("texts_of_autofit", folder / "texts.py")
    spoken = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(spoken)
    for english, japanese in spoken.TEXTS.values():
        assert fields_of(english) == fields_of(japanese)
        assert JAPANESE.search(japanese)
    monkeypatch.setenv("LC_ALL", "ja_JP.UTF-8")
    calls = [
        node
        for path in folder.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "say_once"
    ]
    today = [node.args[1].value for node in calls if isinstance(node.args[1], ast.Constant)]
    assert len(today) > 15
    assert not [name for name in today if re.search("[a-z] +[a-z]", spoken.name_of_today(name))]


@pytest.mark.parametrize(
    ("variables", "spoken"),
    [
        ({"LC_ALL": "ja_JP.UTF-8", "LANG": "C"}, "ja"),
        ({"LC_ALL": "", "LC_MESSAGES": "", "LANG": "ja_JP.eucJP"}, "ja"),
        ({"LC_ALL": "", "LC_MESSAGES": "en_US.UTF-8", "LANG": "ja_JP.UTF-8"}, "en"),
        ({"LC_ALL": "", "LC_MESSAGES": "", "LANG": ""}, "en"),
        ({"LC_ALL": "de_DE.UTF-8"}, "en"),
    ],
)
def test_the_environment_chooses_unless_lang_does(monkeypatch, variables, spoken):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert of_environment() == spoken
    assert (texts.use(""), texts.language()) == (spoken, spoken)
    for lang in ("ja", "en"):
        assert (texts.use(lang), texts.language()) == (lang, lang)
    with pytest.raises(SettingError, match=r"--lang is 'fr'; choose en or ja"):
        texts.use("fr")


def test_windows_is_asked_for_its_language(monkeypatch):
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", "win32")
    for found, spoken in (("Japanese_Japan", "ja"), ("English_United States", "en"), (None, "en")):
        monkeypatch.setattr("locale.getlocale", lambda found=found: (found, "932"))
        assert of_environment() == spoken


@given(st.text(st.sampled_from("続きを読む、。（）「」 abc12.%-"), max_size=200), st.integers(12, 60))
def test_japanese_is_broken_between_letters_and_loses_none(text, width):
    lines = folded(text, width).split("\n")
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    longest = max((cell_len(token) for token in re.findall(r"[!-~]+", text)), default=0)
    signs = max((len(run) for run in re.findall(rf"[{NOT_FIRST}{NOT_LAST}]+", text)), default=0)
    for line in lines:
        assert cell_len(line) <= max(width, longest + 2 * (2 * signs + 1))
    for line in lines[1:]:
        # A sign behind a blank, which no text has, begins a word.
        assert line[:1] not in NOT_FIRST or not line or f" {line[0]}" in text


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("japanese")
    times = pd.date_range("2024-01-01", periods=240, freq="h")
    table = pd.DataFrame({"日時": times, "気温(℃)": np.sin(np.arange(240) / 4).round(3)})
    table.to_csv(folder / "気温.csv", index=False, encoding="cp932")
    table.assign(b=1.0).to_csv(folder / "two.csv", index=False)
    table.assign(**{"気温(℃)": 3}).to_csv(folder / "flat.csv", index=False)
    table.drop(columns="日時").assign(c=1).to_csv(folder / "timeless.csv", index=False)
    odd = times[:60] + pd.to_timedelta(np.random.default_rng(0).integers(0, 3600, 60), unit="s")
    pd.DataFrame({"日時": odd, "y": np.arange(60.0) % 7}).to_csv(folder / "odd.csv", index=False)
    (folder / "empty.csv").write_text("")
    return folder


def test_a_file_is_trained_on_and_forecast_in_japanese(folder):
    model = folder / "m.tsuzuki"
    done = run("fit", folder / "気温.csv", "-o", model, *SMALL, env=ENVIRONMENT)
    assert done.exit_code == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[:2] == ["気温.csv: 240 ステップ、1 時間ごと、2024-01-01 〜 2024-01-10", "欠測 0、区間 1"]
    assert lines[2].startswith("1 系列 240 点で 1 x gru(3) x 1 を学習しました（")
    assert lines[-1] == f"次の一歩: tsuzuki forecast {model}"
    done = run("forecast", model, "--lang", "ja", "--png", folder / "a.png")
    assert done.stderr == f"図を書き出しました: {folder / 'a.png'}\n"
    shown = run("info", folder / "気温.csv", "--lang", "ja").stdout
    assert "間隔               1 時間\n" in shown
    assert "値の列             気温(℃)\n" in shown
    assert "周期               1 日（24 ステップ、" in shown


def test_a_backtest_and_a_comparison_speak_japanese_in_eighty_columns(folder):
    done = run("backtest", folder / "気温.csv", *SMALL, "--windows", "3", "--lang", "ja", env={"COLUMNS": "80"})
    assert done.exit_code == 0, done.stderr
    assert "単位 °C" in done.stdout
    assert "予測区間には実測値の" in done.stdout.replace("\n", "")
    compared = run(
        "compare", folder / "気温.csv", "--seeds", "2", "--epochs", "1", "--lang", "ja", env={"COLUMNS": "80"}
    )
    assert compared.exit_code == 0, compared.stderr
    assert "学習中の損失" in compared.stdout
    assert "初期値を揃えた 2 シードの比較で" in compared.stdout.replace("\n", "")
    for line in (done.stdout + compared.stdout).splitlines():
        assert cell_len(line) <= 80
    assert not re.search(r"\b(seeds|persistence than|windows|training)\b", compared.stdout)


@pytest.mark.parametrize("command", [None, *COMMANDS])
def test_all_of_help_is_japanese_and_fits(command):
    shown = run(*filter(None, [command]), "--help", env=ENVIRONMENT).stdout
    assert shown.startswith(f"使い方: {' '.join(filter(None, ['tsuzuki', command]))} ")
    assert max(map(cell_len, shown.splitlines())) <= 80
    for heading in ("Options", "Arguments", "default", "required", "Example", "Show "):
        assert heading not in shown
    if command is None:
        assert f"{JAPANESE_HEADINGS[next(iter(GROUPS))]}:" in shown
    else:
        assert JAPANESE_HELP[command] in shown.replace("\n", "").replace(" " * 2, "")
        assert "例: " in shown
        for option in get_command(app).commands[command].params:
            assert any(name in shown for name in [*option.opts, option.metavar] if name)


def test_every_option_has_its_japanese_and_no_japanese_is_left_over():
    options = [one for command in get_command(app).commands.values() for one in command.params]
    helps = {one.help for one in [*options, *get_command(app).params] if one.help}
    assert helps <= set(HELP_TEXTS)
    of_the_whole = {get_command(app).help, get_command(app).epilog, "Show this message and exit."}
    assert set(HELP_TEXTS) <= helps | of_the_whole
    assert all(JAPANESE.search(japanese) for japanese in HELP_TEXTS.values())


@pytest.mark.parametrize(
    ("arguments", "spoken"),
    [
        ("fit a.csv --lang ja", "ja"),
        ("--help --lang=en", "en"),
        ("fit --lang fr", ""),
        ("fit a.csv --lang", ""),
        ("run train.py --lang ja", ""),
    ],
)
def test_the_language_is_found_among_the_arguments_but_not_in_those_of_a_script(arguments, spoken):
    assert asked(arguments.split()) == spoken


def test_a_stream_speaks_japanese_of_lines_and_of_its_folder(folder, tmp_path):
    model = folder / "s.tsuzuki"
    run("fit", folder / "気温.csv", "-o", model, *SMALL)
    first, second = "2024-01-11 00:00", "2024-01-11 01:00"
    lines = [f"{first},0.1", "2024-01-10 00:00,1", "never,1", "2024", f"{first},2", "2024-01-11 02:20,1"]
    lines += [f"{second}+09:00,1", f"{second},9e30"]
    command = [sys.executable, "-m", "tsuzuki", "stream", str(model), "--state", str(tmp_path / "s"), "--lang", "ja"]
    read = "\n".join(f"気温,{line}" for line in lines)
    done = subprocess.run(command, input=read, capture_output=True, text=True, timeout=120, encoding="utf-8")
    assert done.returncode == 2
    ours, now = "系列 '気温' の", "2024-01-11T00:00:00"
    assert done.stderr.splitlines() == [
        f"2 行目: {ours} 2024-01-10T00:00:00 の値は、処理済みの時刻 {now} より前のため、除外します",
        "3 行目: 'never' は 2026-01-31 12:00 のような日時ではないため、除外します",
        "4 行目: '気温,2024' は unique_id,ds,y の形ではないため、除外します",
        f"5 行目: {ours} {now} の値は、時刻 {now} の 2 つ目の値のため、除外します",
        f"6 行目: {ours} 2024-01-11T02:20:00 の値は、観測されるべき時刻から +0.33 ステップずれているため、除外します",
        f"7 行目: '{second}+09:00' にはタイムゾーンがありますが、学習データにはなかったため、除外します",
        f"8 行目: {ours}値 9e+30 は、これまでの値からかけ離れているため、除外します",
        "7 行を除外しました",
    ]
    shown = run("info", tmp_path / "s", "--lang", "ja").stdout
    assert "種類               ストリームの状態\n" in shown
    assert "処理済みの行       8\n" in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fit", "nowhere.csv"], "ファイル nowhere.csv がありません。名前を確かめるか、同梱の系列（beijing, nyc）を"),
        (["forecast", "nowhere.tsuzuki"], "ファイル nowhere.tsuzuki がありません。名前を確かめてください"),
        (["fit", "x*.csv"], "x*.csv に合うファイルがありません"),
        (["fit", "empty.csv"], "empty.csv は空です。"),
        (["fit", "two.csv"], "two.csv には値の候補の列が複数あります（気温(℃), b）。--column で 1 つ選ぶか"),
        (["fit", "two.csv", "--column", "c"], "列 c は two.csv にありません（ある列: 日時, 気温(℃), b）。--column で"),
        (["fit", "two.csv", "--time", "c"], "列 c は two.csv にありません（ある列: 日時, 気温(℃), b）。--time で"),
        (["fit", "timeless.csv"], "timeless.csv に日時の列が見つかりません（ある列: 気温(℃), c）。"),
        (["fit", "flat.csv"], "flat.csv は一定値（3）で、学習できるものがありません"),
        (["fit", "odd.csv"], "odd.csv の時刻は等間隔ではありません（最も多い間隔は "),
        (["backtest", "気温.csv", "--windows", "99"], "系列 気温 は 240 点しかなく、24 ステップ間隔の 99 個の起点には"),
        (["fit", "気温.csv", "-o", "."], "--output の . はフォルダーです。"),
        (["fit", "気温.csv", "-o", "no/m.tsuzuki"], "--output の no/m.tsuzuki を置くフォルダー no がありません。"),
        (["fit", "気温.csv", "-o", "気温.csv"], "--output の 気温.csv は入力ファイルです。"),
        (["forecast", "気温.csv"], "気温.csv は tsuzuki のファイルでないか、途中で切れています"),
        (["fit", "気温.csv", "--cell", "rnn"], "cell の値 'rnn' は使えません。simple_rnn、gru、lstm から選んで"),
        (["fit", "気温.csv", "--horizon", "0"], "horizon の値 0 は使えません。1 以上の整数を"),
    ],
)
def test_the_commonest_errors_are_one_japanese_line(folder, arguments, message, monkeypatch):
    monkeypatch.chdir(folder)
    done = run(*arguments, env=ENVIRONMENT)
    assert done.exit_code == 2
    assert done.stderr.startswith(f"エラー: {message}")
    assert done.stderr.count("\n") == 1


def test_what_a_file_of_known_values_lacks_is_said_in_japanese(folder, tmp_path):
    table = pd.read_csv(folder / "気温.csv", encoding="cp932").assign(祝日=lambda one: np.arange(len(one)) % 7 == 0)
    table.astype({"祝日": int}).to_csv(tmp_path / "a.csv", index=False)
    model = tmp_path / "m.tsuzuki"
    done = run(
        "fit", tmp_path / "a.csv", "--column", "気温(℃)", "--known", "祝日", "-o", model, *SMALL, env=ENVIRONMENT
    )
    assert done.exit_code == 0, done.stderr
    assert "（FILE には予測する時刻の 祝日 を入れます）" in done.stdout
    (tmp_path / "short.csv").write_text("日時,祝日\n2024-01-11 00:00,0\n2024-01-11 01:00,0\n")
    (tmp_path / "other.csv").write_text("日時,休日\n2024-01-11 00:00,0\n2024-01-11 01:00,0\n2024-01-11 02:00,1\n")
    for options, message in (
        ([], f"{model} は先の値が分かっている列 祝日 を使います。2024-01-10 23:00:00 より後の値を --future FILE で"),
        (["--future", "short.csv"], "--future のファイルに、系列 'a' の 2024-01-11 02:00:00 の 祝日 がありません。"),
        (
            ["--future", "other.csv"],
            "共変量 祝日 の列 祝日 は other.csv にありません（ある列: 日時, 休日）",
        ),
    ):
        named = [str(tmp_path / one) if one.endswith(".csv") else one for one in options]
        done = run("forecast", model, *named, env=ENVIRONMENT)
        assert done.stderr.startswith(f"エラー: {message}"), done.stderr


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "a",
            "時刻,値\n2024-01-01 00:00,1\n2024-01-01 01:00,x\n",
            "a.csv の列 '値' の 3 行目の 'x' は数ではありません",
        ),
        (
            "b",
            "時刻,値\n1/2/2024,1\n2/3/2024,2\n3/4/2024,3\n",
            "b.csv の列 '時刻' の '1/2/2024' のような日付は、日と月の",
        ),
        ("c", "時刻,値\n", "c.csv には見出しだけで"),
        (
            "d",
            "時刻,値\n2024-01-01,1\n2024-01-02,1,5,7\n",
            "d.csv は表として読めません（3 行目のセルが 2 個でなく 4 個）",
        ),
        ("e", "2024-01-01,1\n2024-01-02,2\n", "e.csv の 1 行目は列名ではなく観測値です"),
        ("f", "時刻,値\n2024-01-01,1\n2024-01-02,2\n", "f.csv の時刻は 2 種類だけです"),
    ],
)
def test_what_is_wrong_in_a_file_is_said_in_japanese(tmp_path, monkeypatch, name, text, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / f"{name}.csv").write_text(text, "utf-8")
    done = run("info", f"{name}.csv", env=ENVIRONMENT)
    assert (done.exit_code, done.stderr[: len(message) + 5]) == (2, f"エラー: {message}")
    assert done.stderr.count("\n") == 1


def test_every_japanese_error_has_its_english_in_the_source():
    source = "".join(path.read_text("utf-8") for path in sorted(Path(texts.__file__).parents[1].rglob("*.py")))
    # Literals that go on in the next line are one.
    source = re.sub(r'"\n\s*f?r?"', "", source)
    for pattern, japanese in ERRORS:
        plain = re.sub(r"\\(.)", r"\1", re.sub(r"\(\?[^()]*\)\??|(?<!\\)\([^()]*\)|\.\+|\\S\+", "\0", pattern))
        longest = max(re.split("\0|; ", plain), key=len)
        assert longest in source, pattern
        assert re.compile(pattern).groups > max(map(int, fields_of(japanese)), default=-1), pattern


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("fit --bogus", "オプション --bogus はありません（近い名前: "),
        ("fit", "引数 FILE が足りません"),
        ("bogus", "コマンド bogus はありません"),
        ("fit a.csv --seed x", "--seed に"),
        ("forecast m --levels", "オプション --levels には値が必要です"),
        ("stream m", "オプション --state が足りません"),
        ("fit a.csv --quiet=3", "オプション --quiet は値を取りません"),
    ],
)
def test_arguments_that_cannot_be_read_are_answered_in_the_language_that_is_spoken(arguments, message):
    done = run(*arguments.split(), env=ENVIRONMENT)
    assert done.exit_code == 2
    assert f"エラー: {message}" in done.stderr
    assert not re.search("Usage|Try|Error", done.stderr)
    done = run(*arguments.split(), env={"LC_ALL": "C"})
    assert done.exit_code == 2
    assert "Error: " in done.stderr
    assert not JAPANESE.search(done.stderr)


def test_messages_about_arguments_of_other_versions_of_typer_are_known():
    assert in_japanese("No such option '--bogus'. Did you mean --base?") == (
        "オプション --bogus はありません（近い名前: --base）"
    )
    assert (
        in_japanese("Invalid value for '--seed': 'x' is not a valid integer.") == "--seed の値 x は整数ではありません"
    )
    assert in_japanese("Got unexpected extra argument (b)") == "余分な引数があります: b"
    assert in_japanese("Something new.") == "Something new."


def test_other_errors_are_said_in_english_behind_a_japanese_word(folder):
    done = run("fit", folder / "気温.csv", "--weight-decay", "-1", env=ENVIRONMENT)
    assert done.stderr.startswith("エラー: learning_rate is 0.005 and weight_decay -1.0; give a rate above 0 ")
    assert error("something new") == "something new"
    assert error("this needs more memory than is available (5 TiB); choose a smaller network") == (
        "メモリーが足りません（5 TiB）。ネットワークを小さくしてください"
    )
    assert len(ERRORS) == len({pattern for pattern, _ in ERRORS})
