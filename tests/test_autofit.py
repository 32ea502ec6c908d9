"""`tsuzuki run` around a script: as Python would run it. No Keras is needed for these."""

import subprocess
import sys

import pytest


def run(path, *arguments, options=(), code=None):
    if code is not None:
        path.write_text(code, "utf-8")
    command = [sys.executable, "-m", "tsuzuki", "run", *options, str(path), *arguments]
    return subprocess.run(command, capture_output=True, text=True)


def test_a_script_finds_itself_as_it_would_under_python(tmp_path):
    code = (
        "import sys, pickle, beside\n"
        "class Mine: pass\n"
        "print(__name__, sys.argv, sys.path[0], __file__ == sys.argv[0], beside.VALUE)\n"
        "print(type(pickle.loads(pickle.dumps(Mine()))) is Mine, {'keras', 'numpy', 'typer'} & {*sys.modules})\n"
        "print('said', file=sys.stderr)\n"
        "raise SystemExit(7)\n"
    )
    (tmp_path / "beside.py").write_text("VALUE = 3\n")
    path = tmp_path / "script.py"
    done = run(path, "--strict", "a b", "--help", code=code)
    python = subprocess.run([sys.executable, str(path), "--strict", "a b", "--help"], capture_output=True, text=True)
    assert done.returncode == python.returncode == 7
    assert done.stdout == python.stdout
    assert done.stderr == python.stderr == "said\n"


@pytest.mark.parametrize(
    "code",
    [
        "def f():\n    1 / 0\ntry:\n    f()\nexcept ZeroDivisionError as one:\n    raise ValueError('no') from one\n",
        "print(1\n",
        "import sys\nsys.exit('a message')\n",
        "import atexit\natexit.register(print, 'last')\n[].pop()\n",
    ],
    ids=["an error and its cause", "no Python", "a message", "a last word"],
)
def test_errors_are_shown_as_python_shows_them(tmp_path, code):
    path = tmp_path / "script.py"
    done = run(path, code=code)
    python = subprocess.run([sys.executable, str(path)], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (1, python.stdout, python.stderr)


def test_a_script_that_is_not_there_is_named(tmp_path):
    done = run(tmp_path / "none.py")
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {tmp_path / 'none.py'} cannot be read (No such file or directory)")


def test_a_script_with_keras_2_is_told_how_to_move(tmp_path):
    (tmp_path / "tf_keras").mkdir()
    (tmp_path / "tf_keras" / "__init__.py").write_text("class Model: pass\n")
    code = (
        "import tf_keras, tsuzuki\ntry:\n    tsuzuki.fit(tf_keras.Model())\nexcept ValueError as no:\n    print(no)\n"
    )
    done = run(tmp_path / "script.py", code=code)
    how = (
        "tf_keras, which is Keras 2; build it with Keras 3 (`import keras`, TF_USE_LEGACY_KERAS not set) and hand the "
        "weights over: new.set_weights(old.get_weights())\n"
    )
    assert (done.stdout, done.stderr) == (
        f"fit was given a model of {how}",
        f"tsuzuki: calls of models are left to {how}",
    )


# The package acts when it is imported, so it is not imported here.
TABLE = """
from tsuzuki.autofit.call_log import CallLog
log = CallLog()
assert log.table(explain=False) == []
for _ in range(2):
    log.add("a.py:3", "fit", "", 0.5, batches=1000)
log.add("a.py:9", "predict", "a layer", 1.0)
for _ in range(1000):
    log.add("a.py:11", "train_on_batch", "", 0.0001, batches=1)
assert len(log.table(explain=True)) == 5
print(log.table(explain=True)[0])
print(*log.table(explain=False), sep="\\n")
"""


def test_the_table_says_what_was_swapped_what_was_not_and_what_that_saved():
    done = subprocess.run([sys.executable, "-c", TABLE], capture_output=True, text=True)
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "tsuzuki run: 1002 of 1003 calls would be swapped",
        "tsuzuki run: 1002 of 1003 calls swapped",
        "  where    call            times  seconds  swapped",
        "  a.py:3   fit                 2     1.00  yes",
        "  a.py:9   predict             1     1.00  no: a layer",
        "  a.py:11  train_on_batch   1000     0.10  yes",
        "  time saved, by a low estimate of what Keras spends beside the arithmetic: 1.1 s",
    ]


def test_the_table_and_the_notices_are_said_in_japanese_too(tmp_path):
    code = (
        "from tsuzuki.autofit.swapping import log\n"
        "from tsuzuki.autofit.notices import say_once\n"
        "say_once('lr=', 'learning_rate=')\n"
        "log.add('a.py:3', 'fit', '', 0.5, 10)\n"
        "log.add('a.py:9', 'predict', 'a layer', 1.0)\n"
    )
    spoken = [
        "tsuzuki: lr= は古い名前です。今は learning_rate= です",
        "tsuzuki run: 2 回の呼び出しのうち 1 回置き換え",
        "  場所    呼び出し  回数    秒  置き換え",
        "  a.py:3  fit          1  0.50  はい",
        "  a.py:9  predict      1  1.00  いいえ: a layer",
        "  短縮した時間（Keras が計算以外に使う時間の控えめな見積もり）: 0.0 秒",
    ]
    assert run(tmp_path / "script.py", options=["--lang", "ja"], code=code).stderr.splitlines() == spoken
    assert run(tmp_path / "script.py", options=["--lang=en"]).stderr.startswith("tsuzuki: lr= is an old name")
    refused = run(tmp_path / "script.py", options=["--lang", "fr"])
    assert (refused.returncode, refused.stderr) == (2, "error: --lang is 'fr'; choose en or ja\n")


NOTEBOOK = """
import tsuzuki
class Shell:
    def register_magic_function(self, function, kind, name):
        self.magic = {kind + " " + name: function}
shell = Shell()
tsuzuki.load_ipython_extension(shell)
from tsuzuki.autofit.swapping import log
log.add("a.py:3", "fit", "", 0.5)
shell.magic["line tsuzuki"]("")
log.lines.clear()
"""


@pytest.mark.parametrize("line", ["import tsuzuki.autofit", NOTEBOOK], ids=["a line", "an extension"])
def test_a_line_is_enough(line):
    code = f"import sys\n{line}\nprint(len([one for one in sys.meta_path if 'tsuzuki' in str(one)]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.stderr[:34]) == ("1\n", "tsuzuki run: 1 of 1 calls swapped\n" if line is NOTEBOOK else "")
