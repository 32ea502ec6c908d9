"""Options of `tsuzuki stream` that cannot be, and what a plan must hold, found before a model is asked to forecast."""

from types import SimpleNamespace

import pandas as pd
import pytest
from typer import Exit

from tsuzuki.commands import streaming
from tsuzuki.commands.streaming import _plan, stream
from tsuzuki.errors import SettingError


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"format_": "xml"}, "--format is 'xml'; choose csv, ndjson or auto"),
        ({"new_series": "maybe"}, "--new-series is 'maybe'; choose allow, refuse or auto"),
        ({"workers": 0}, "--workers is 0; give a whole number from 1"),
    ],
)
def test_options_that_cannot_be_are_refused_before_anything_is_read(options, message, capsys, monkeypatch):
    monkeypatch.setattr(streaming, "_follow", lambda *given: pytest.fail("the stream began"))
    with pytest.raises(Exit) as caught:
        stream("no such model", "no such folder", **{"workers": 1, "debug": False, "lang": "en"} | options)
    assert caught.value.exit_code == 2
    assert capsys.readouterr().err == f"error: {message}\n"


@pytest.mark.parametrize(("rejected", "said"), [(0, ""), (1, "1 line was left out\n"), (3, "3 lines were left out\n")])
def test_lines_that_were_left_out_are_counted_in_words_and_in_the_exit_code(rejected, said, capsys, monkeypatch):
    given = []
    monkeypatch.setattr(streaming, "_follow", lambda *options: (given.append(options), rejected)[1])
    code = 0
    try:
        stream(
            "m", "s", format_="csv", new_series="allow", workers=3, begin_anew=None, future="f", lang="en", debug=False
        )
    except Exit as ended:
        code = ended.exit_code
    assert given == [("m", "s", "csv", "allow", (), "f", False, 3, False)]
    assert (code, capsys.readouterr().err) == (2 if rejected else 0, said)


def test_a_plan_is_there_where_a_model_reads_one_and_holds_for_all_series_where_it_names_none(tmp_path):
    def model(*known):
        fitted = SimpleNamespace(ids=("a", "b"), source=None)
        return SimpleNamespace(settings=SimpleNamespace(columns=SimpleNamespace(given_ahead=known)), fitted=fitted)

    frame = pd.DataFrame({"ds": pd.date_range("2024-01-13", periods=3), "plan": [1, 2, 3]})
    frame.to_csv(tmp_path / "plan.csv", index=False)
    frame.assign(unique_id="b").to_csv(tmp_path / "b.csv", index=False)
    frame.assign(unique_id=["a", "b", "z"]).to_csv(tmp_path / "z.csv", index=False)
    assert _plan(model(), "m", "") is None
    with pytest.raises(
        SettingError, match="m reads no columns known ahead; leave out --future, or fit it with --known"
    ):
        _plan(model(), "m", str(tmp_path / "plan.csv"))
    with pytest.raises(SettingError, match="m reads columns known ahead: plan, price; give them in a file"):
        _plan(model("plan", "price"), "m", "")
    for name, ids in (("plan", ["a"] * 3 + ["b"] * 3), ("b", ["b"] * 3), ("z", ["a", "b", "z"])):
        found = _plan(model("plan"), "m", str(tmp_path / f"{name}.csv"))
        assert found["unique_id"].tolist() == ids
        assert found["plan"].tolist() == [1, 2, 3] * (len(ids) // 3)
