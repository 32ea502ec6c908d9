"""One page to look at: the series, how its batches lie, what was learned, and what came of it, in a file by itself.

A page needs no network and no other file; it speaks English and Japanese, and can be read on a phone, in print, in
light and in dark, and with the keyboard alone.
"""

from tsuzuki.report.backtest import backtest_page
from tsuzuki.report.comparison import comparison_page
from tsuzuki.report.forecast import forecast_page
from tsuzuki.report.page import check
from tsuzuki.report.single import series_page

__all__ = ["backtest_page", "check", "comparison_page", "forecast_page", "series_page"]
