"""The picture of a forecast at the top of the README and of the site: docs/images/forecast.png.

    python tools/make_forecast_picture.py

The bundled series of Beijing, cut in its last summer; a forecaster with its usual settings, 48 hours ahead. What came
of it is not part of the picture: it is a forecast, not a backtest.
"""

from pathlib import Path

from tsuzuki import Forecaster
from tsuzuki.data import datasets
from tsuzuki.forecasting.outlook import Outlook, outlooks
from tsuzuki.report.png import forecast_png

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "images" / "forecast.png"
CUT, HORIZON = "2014-07-20 06:00", 48


def forecast(**settings: int) -> Outlook:
    """What is drawn; settings are those of a forecaster."""
    frame = datasets.load("beijing").frame
    known = frame[frame["ds"] <= CUT]
    model = Forecaster(HORIZON, **settings).fit(known)
    assert model.fitted is not None
    return outlooks(model.fitted, HORIZON, model.predict(), known)[0]


def picture(drawn: Outlook) -> bytes:
    """The picture's bytes."""
    return forecast_png([drawn], "Beijing: the next 48 hours, with 80 % and 95 % intervals", "°C")


if __name__ == "__main__":
    PICTURE.write_bytes(picture(forecast()))
    print(f"written: {PICTURE}")
