"""The report page in a real browser, and what can be told of it without one."""

import json
import re
import shutil
import time

import numpy as np
import pandas as pd
import pytest

from test_cli import run
from tsuzuki.errors import MissingExtraError, SettingError
from tsuzuki.report.page import check

# One browser and one set of pages for all of these tests.
SMALL = ["--units", "4", "--layers", "1", "--ensemble", "2", "--epochs", "1", "--horizon", "24"]


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """A page of each kind, of a series with a short and a long gap."""
    folder = tmp_path_factory.mktemp("report")
    times = pd.date_range("2024-01-01", periods=2000, freq="h")
    generator = np.random.default_rng(0)
    values = 10 + 5 * np.sin(np.arange(2000) * 2 * np.pi / 24) + np.cumsum(generator.normal(0, 0.2, 2000))
    frame = pd.DataFrame({"time": times, "temperature": values.round(2)})
    frame = frame.drop(index=[*range(300, 304), *range(600, 660)])
    frame.to_csv(folder / "readings.csv", index=False)
    made = {
        "compare": ("compare", folder / "readings.csv", "--seeds", 3, "--epochs", 2),
        "backtest": ("backtest", folder / "readings.csv", *SMALL, "--windows", 12),
    }
    for name, arguments in made.items():
        done = run(*arguments, "--quiet", "--report", folder / f"{name}.html")
        assert done.exit_code == 0, done.stderr
    assert run(
        "compare", folder / "readings.csv", "--seeds", 1, "--quiet", "--lang", "ja", "--report", folder / "ja.html"
    )
    assert run("plot", folder / "readings.csv", "--html", folder / "plot.html").exit_code == 0
    model = folder / "model.tsuzuki"
    assert run("fit", folder / "readings.csv", *SMALL, "-o", model, "--quiet").exit_code == 0
    assert run("forecast", model, "--quiet", "--report", folder / "forecast.html").exit_code == 0
    return folder


NAMES = ["compare", "backtest", "plot", "forecast"]


def chromium_and_driver(which=shutil.which):
    """The browser and its driver; without a browser its tests are skipped, a browser without its driver is a fault."""
    chromium = which("chromium") or which("chromium-browser") or which("google-chrome")
    if chromium is None:
        pytest.skip("there is no Chromium: install Debian's chromium and chromium-driver")
    driver = which("chromedriver")
    if driver is None:
        pytest.fail(f"{chromium} is here without its driver, so no page is looked at: install Debian's chromium-driver")
    return chromium, driver


@pytest.mark.parametrize(
    ("found", "outcome", "message"),
    [
        ({}, pytest.skip.Exception, "there is no Chromium"),
        ({"chromedriver"}, pytest.skip.Exception, "there is no Chromium"),
        ({"chromium"}, pytest.fail.Exception, "chromium is here without its driver"),
        ({"google-chrome"}, pytest.fail.Exception, "google-chrome is here without its driver"),
    ],
)
def test_a_browser_without_its_driver_is_no_reason_to_look_at_nothing(found, outcome, message):
    with pytest.raises(outcome, match=message):
        chromium_and_driver(lambda name: f"/usr/bin/{name}" if name in found else None)


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium that notes its console and every request."""
    chromium, driver = chromium_and_driver()
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1100,900", "--hide-scrollbars"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    made = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield made
    made.quit()


def show(browser, path, *, width=1100, dark=False):
    """Open a page and wait until its plots are drawn."""
    browser.get_log("browser"), browser.get_log("performance")
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme})
    browser.get(path.as_uri())
    wait(browser, "return [...document.querySelectorAll('.plot')].every(one => one.querySelector('.main-svg'))")


def wait(browser, condition):
    """Wait until a script returns something true."""
    limit = time.monotonic() + 20
    while not browser.execute_script(condition):
        assert time.monotonic() < limit, condition
        time.sleep(0.05)


@pytest.mark.parametrize("name", NAMES)
def test_a_page_says_nothing_on_the_console_asks_nobody_for_anything_and_has_no_blank_section(browser, pages, name):
    path = pages / f"{name}.html"
    show(browser, path)
    check_sections(browser, name)
    dark = [{"name": "prefers-color-scheme", "value": "dark"}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": dark})
    wait(browser, "return getComputedStyle(document.body).backgroundColor === 'rgb(20, 23, 27)'")
    check_sections(browser, name)
    assert [entry["message"] for entry in browser.get_log("browser")] == []
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
    assert path.as_uri() in asked
    assert [url for url in asked if not url.startswith((path.as_uri(), "data:", "blob:"))] == []


def check_sections(browser, name):
    """Every section and every plot shows something."""
    import base64
    import io

    from PIL import Image

    places = browser.execute_script(
        "return [...document.querySelectorAll('section, .plot')].map((one) => {"
        "const r = one.getBoundingClientRect(); return [r.x + scrollX, r.y + scrollY, r.right + scrollX,"
        "r.bottom + scrollY, one.id] })"
    )
    assert len(places) >= {"plot": 2, "forecast": 6}.get(name, 8)
    width, height = browser.execute_script("const e = document.documentElement; return [e.scrollWidth, e.scrollHeight]")
    options = {"format": "png", "captureBeyondViewport": True}
    options["clip"] = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
    shot = browser.execute_cdp_cmd("Page.captureScreenshot", options)["data"]
    whole = np.asarray(Image.open(io.BytesIO(base64.b64decode(shot))).convert("RGB")).astype(np.int16)
    for left, top, right, bottom, key in places:
        pixels = whole[round(top) : round(bottom), round(left) : round(right)]
        # A heading alone marks a part in two hundred of its section.
        assert (np.abs(pixels - pixels[2, 2]).max(axis=2) > 38).mean() > 0.005, key


@pytest.mark.parametrize("name", ["compare", "backtest"])
def test_the_slider_moves_the_plot_by_hand_and_by_its_buttons(browser, pages, name):
    show(browser, pages / f"{name}.html")
    key = browser.execute_script("return document.querySelector('input[type=range]').dataset.for")
    first = browser.execute_script(f"return document.getElementById('{key}').data[0].x[0]")
    label = browser.execute_script(f"return document.querySelector('output[data-for=\"{key}\"]').textContent")
    browser.execute_script(
        f"const one = document.querySelector('input[data-for=\"{key}\"]');"
        "one.value = 1; one.dispatchEvent(new Event('input'))"
    )
    wait(browser, f"return document.getElementById('{key}').data[0].x[0] !== {json.dumps(first)}")
    assert browser.execute_script(f"return document.querySelector('output[data-for=\"{key}\"]').textContent") != label
    browser.execute_script(f'document.querySelector(\'button[data-for="{key}"][data-by="-1"]\').click()')
    wait(browser, f"return document.getElementById('{key}').data[0].x[0] === {json.dumps(first)}")


def test_the_language_switches_in_words_titles_and_plots(browser, pages):
    show(browser, pages / "compare.html")
    titles = "return [...document.querySelectorAll('.xtitle, .ytitle, .legendtext')].map(one => one.textContent).join()"
    english, title = browser.execute_script(titles), browser.title
    browser.execute_script("document.querySelector('button[data-to=ja]').click()")
    wait(browser, f"return (() => {{ {titles} }})() !== {json.dumps(english)}")
    assert re.search("[ぁ-ん]", browser.find_element("tag name", "h1").text)
    assert browser.title != title
    assert browser.execute_script("return document.documentElement.lang") == "ja"
    hidden = "return [...document.querySelectorAll('main span[lang=en]')].filter(one => one.offsetParent).length"
    assert browser.execute_script(hidden) == 0
    show(browser, pages / "ja.html")
    assert re.search("[ぁ-ん]", browser.find_element("tag name", "h1").text)


# What is wider than the page or its own box, and words that lie outside the drawing or the plot that they belong to.
CUT = """
const found = [], page = document.documentElement.clientWidth;
const seen = (one) => one.getClientRects().length && getComputedStyle(one).visibility !== 'hidden';
const scrolls = (one) => one.closest('.wide');
for (const one of document.body.querySelectorAll('*')) {
  if (!seen(one) || one.closest('svg, .skip, .unseen, option')) continue;
  const box = one.getBoundingClientRect();
  if (!scrolls(one) && (box.right > page + 0.5 || box.left < -0.5))
    found.push(['wider than the page', one.outerHTML.slice(0, 90)]);
  const style = getComputedStyle(one);
  if (style.overflowX !== 'visible' && !one.matches('.wide') && one.scrollWidth > one.clientWidth + 1)
    found.push(['cut', one.outerHTML.slice(0, 90)]);
}
for (const one of document.querySelectorAll('svg text')) {
  if (!seen(one) || !one.textContent.trim()) continue;
  const box = one.getBoundingClientRect(), around = one.closest('.plot, svg.lanes').getBoundingClientRect();
  if (box.left < around.left - 1 || box.right > around.right + 1
      || box.top < around.top - 1 || box.bottom > around.bottom + 1)
    found.push(['outside its picture', one.textContent]);
}
for (const one of document.querySelectorAll('.hint')) {
  const wide = [...one.parentElement.querySelectorAll('.wide')].some((box) => box.scrollWidth > box.clientWidth + 1);
  if (wide === one.hidden) found.push(['scrolls without a hint, or a hint without scrolling', one.textContent]);
}
return found;
"""


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("width", [390, 768, 1400])
def test_nothing_but_a_scrolling_table_is_wider_than_the_page_and_no_word_is_cut(browser, pages, name, width):
    show(browser, pages / f"{name}.html", width=width)
    for lang in ("en", "ja"):
        browser.execute_script(f"document.querySelector('button[data-to={lang}]').click()")
        wait(browser, f"return document.querySelector('.plot')._context.locale === '{lang}'")
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
        assert browser.execute_script(CUT) == []
        assert browser.execute_script(CONTRAST) == []
    if width == 390:
        size = {"width": 360, "height": 900, "deviceScaleFactor": 1, "mobile": True}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        wait(browser, "return innerWidth === 360 && document.documentElement.scrollWidth <= 360")


def test_an_arrow_stands_at_the_edge_behind_which_more_of_a_table_lies(browser, pages):
    show(browser, pages / "compare.html", width=390)
    marked = "return [...document.querySelectorAll('.edge.more table')].filter((one) => one.offsetParent).length"
    arrow = "return getComputedStyle(document.querySelector('.edge.more'), '::after').content"
    assert browser.execute_script(marked) > 0
    assert browser.execute_script(arrow) == '"›"'
    browser.execute_script("document.querySelectorAll('.wide').forEach((one) => { one.scrollLeft = one.scrollWidth })")
    wait(browser, "return document.querySelectorAll('.edge.more').length === 0")
    show(browser, pages / "compare.html", width=1400)
    assert browser.execute_script(marked) == 0


def test_dates_in_plots_follow_the_language(browser, pages):
    show(browser, pages / "plot.html")
    dates = "return [...document.querySelectorAll('.xtick text')].map(one => one.textContent).join(' ')"
    assert re.search("Jan|Feb|Mar", browser.execute_script(dates))
    browser.execute_script("document.querySelector('button[data-to=ja]').click()")
    wait(browser, f"return (() => {{ {dates} }})().includes('月')")
    assert not re.search("[A-Za-z]", browser.execute_script(dates))


def test_on_a_phone_the_languages_stand_beside_the_title(browser, pages):
    show(browser, pages / "compare.html", width=390)
    title, buttons = (browser.find_element("css selector", one).rect for one in ("h1", ".languages"))
    assert title["x"] + title["width"] <= buttons["x"]
    assert abs(title["y"] - buttons["y"]) < 12


def test_every_lane_and_every_way_has_its_label_in_sight_on_a_phone(browser, pages):
    show(browser, pages / "compare.html", width=390)
    lanes = [one.text for one in browser.find_elements("css selector", "svg.lanes text.soft") if one.is_displayed()]
    assert all(f"lane {number}" in lanes for number in range(1, 7))
    ticks = [one.text for one in browser.find_elements("css selector", ".xtick text")]
    for name in ("stateless", "stateful", "streams"):
        assert name in ticks


CONTRAST = """
const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
const rgba = (text) => {
  canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = text; canvas.fillRect(0, 0, 1, 1);
  return [...canvas.getImageData(0, 0, 1, 1).data];
};
const light = (c) => {
  const [r, g, b] = c.map((v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const behind = (one) => {
  for (let at = one; at; at = at.parentElement) {
    const c = rgba(getComputedStyle(at).backgroundColor);
    if (c[3] > 250) return c;
  }
  return rgba(getComputedStyle(document.documentElement).getPropertyValue('--sheet'));
};
const found = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const one = walker.currentNode.parentElement;
  if (!walker.currentNode.textContent.trim() || one.closest('script, style, noscript, svg')) continue;
  if (!one.offsetParent || one.disabled || one.closest(':disabled')) continue;
  const style = getComputedStyle(one), [a, b] = [light(rgba(style.color)), light(behind(one))];
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  const size = parseFloat(style.fontSize), large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
  if (ratio < (large ? 3 : 4.5)) found.push([walker.currentNode.textContent.slice(0, 40), ratio]);
}
return found;
"""


@pytest.mark.parametrize("name", NAMES)
def test_in_the_dark_too_words_stand_out_from_their_ground_as_wcag_asks(browser, pages, name):
    show(browser, pages / f"{name}.html", dark=True)
    assert browser.execute_script(CONTRAST) == []


def test_a_plot_is_moved_by_the_keyboard_and_described_in_words(browser, pages):
    show(browser, pages / "plot.html")
    spoken = browser.execute_script(
        "return [...document.querySelectorAll('.plot')].map(one => [one.getAttribute('role'), one.tabIndex,"
        " document.getElementById(one.getAttribute('aria-labelledby')).textContent.length])"
    )
    assert all(role == "img" and index == 0 and length > 20 for role, index, length in spoken)
    ends = "return document.querySelector('.plot')._fullLayout.xaxis.range.join()"
    before = browser.execute_script(ends)
    press = "document.querySelector('.plot').dispatchEvent(new KeyboardEvent('keydown', {key: '+'}))"
    browser.execute_script(press)
    wait(browser, f"return (() => {{ {ends} }})() !== {json.dumps(before)}")


@pytest.mark.parametrize("name", NAMES)
def test_a_page_is_one_file_that_names_no_other(pages, name):
    text = (pages / f"{name}.html").read_text("utf-8")
    assert len(text.encode()) < 2.5e6
    assert text.count("plotly.js v") == 1
    outside = re.sub(r"<script>.*?</script>", "", text, flags=re.S)
    assert not re.search(r"""(?:src|href)\s*=\s*["']?(?:https?:)?//""", outside)
    assert "default-src 'none'" in text


def test_a_page_tells_the_verdict_the_command_and_the_gaps(pages):
    text = (pages / "compare.html").read_text("utf-8")
    for words in ("Over 3 paired seeds", "3 シード", "interpolated", "2 segments"):
        assert words in text
    assert "the best reference" in (pages / "backtest.html").read_text("utf-8")


def test_a_picture_is_written_as_png(pages, tmp_path):
    done = run("plot", pages / "readings.csv", "--png", tmp_path / "series.png")
    assert done.exit_code == 0
    assert (tmp_path / "series.png").read_bytes().startswith(b"\x89PNG")
    from matplotlib.image import imread

    assert imread(tmp_path / "series.png")[..., :3].std() > 0.05


def test_a_pictures_words_are_japanese_where_a_font_has_them_and_else_its_lack_is_said(pages, tmp_path, monkeypatch):
    from tsuzuki.report import fonts, png

    pd.read_csv(pages / "readings.csv").to_csv(tmp_path / "気温.csv", index=False)
    picture = tmp_path / "a.png"

    def drawn(*options):
        done = run("plot", tmp_path / "気温.csv", "--png", picture, *options)
        assert done.exit_code == 0
        return done.stderr, picture.read_bytes()

    assert fonts.lacking(["続きを読む", "°C", "µ"]) == ""
    said, japanese = drawn("--lang", "ja")
    assert said == ""
    said, english = drawn("--lang", "en")
    assert said == ""
    assert english != japanese
    assert png.forecast_title("m", "ja") == "m による予測"
    monkeypatch.setattr(fonts, "_found", tuple)
    said, lacking = drawn("--lang", "ja")
    assert said.endswith("のフォントがありません。次で導入してください: pip install matplotlib-fontja\n")
    assert png.forecast_title("m", "ja") == "m: forecast"
    # The picture's own words are English then, so that only the name lacks letters.
    said, same = drawn("--lang", "en")
    assert same == lacking
    assert "no font has the letters 気温 of the picture; install one: pip install matplotlib-fontja" in said


def test_fonts_are_found_in_packages_and_among_new_files(monkeypatch):
    from matplotlib import font_manager

    from tsuzuki.report import fonts

    listed = [font for font in font_manager.fontManager.ttflist if font.name not in fonts.NAMES]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", listed)
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: ["/no/such/font.ttf"])
    assert "IPAexGothic" in fonts._found.__wrapped__()
    monkeypatch.setattr(font_manager.fontManager, "ttflist", listed[:1])
    monkeypatch.setattr(fonts, "BROUGHT", (("no_such_package", "a.ttf"),))
    assert fonts._found.__wrapped__() == ()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--report", "{folder}/no/such/out.html"], "--report"),
        (["--report", "{folder}"], "--report"),
        (["--report", "{folder}/x.html", "--lang", "de"], "--lang is 'de'; choose en or ja"),
    ],
)
def test_a_page_that_cannot_be_written_is_refused_before_anything_is_trained(pages, monkeypatch, arguments, message):
    def trained(*_):
        raise AssertionError("trained before the target of the page was looked at")

    monkeypatch.setattr("tsuzuki.experiment.comparison.compare", trained)
    given = [one.replace("{folder}", str(pages)) for one in arguments]
    done = run("compare", pages / "readings.csv", *given)
    assert done.exit_code == 2
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_without_plotly_the_missing_extra_is_named(monkeypatch):
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r'--report needs the package plotly.*pip install "tsuzuki\[report\]"'):
        check()
    with pytest.raises(SettingError, match="--lang is 'fr'"):
        check("fr")
