"""What became of each call of the script: one table at the end, on stderr."""

import sys
from dataclasses import dataclass, field
from unicodedata import east_asian_width

from tsuzuki.autofit.texts import said

# What Keras spends on a call and on a batch beside the arithmetic, measured with small networks on TensorFlow (two
# cores of an AMD EPYC): the least that is saved where a call is swapped. Those of single batches are CPU times measured
# on a busy Xeon, divided by the three times that a batch of `fit` takes there.
CALL_SECONDS = {"fit": 0.03, "evaluate": 0.03, "predict": 0.04}
BATCH_SECONDS = {
    "fit": 0.0007,
    "evaluate": 0.0004,
    "predict": 0.0004,
    "train_on_batch": 0.0007,
    "test_on_batch": 0.0006,
    "predict_on_batch": 0.0003,
    "model(x)": 0.002,
}


@dataclass
class Line:
    """The calls that stand in one place of the script and went the same way.

    Attributes:
        place: file and line.
        method: fit, evaluate, predict and the like.
        reason: why they were not swapped; "" if they were.
        calls: how many.
        batches: of swapped calls, all together.
        seconds: that they took.
    """

    place: str
    method: str
    reason: str
    calls: int = 0
    batches: int = 0
    seconds: float = 0.0

    @property
    def in_keras(self) -> float:
        """Seconds that Keras would have spent, at the least."""
        return self.calls * CALL_SECONDS.get(self.method, 0.0) + self.batches * BATCH_SECONDS.get(self.method, 0.0)


@dataclass
class CallLog:
    """All calls so far, in the order of their first ones."""

    lines: dict[tuple[str, str, str], Line] = field(default_factory=dict)

    def add(self, place: str, method: str, reason: str, seconds: float, batches: int = 0) -> None:
        """Note a call."""
        line = self.lines.setdefault((place, method, reason), Line(place, method, reason))
        line.calls += 1
        line.batches += batches
        line.seconds += seconds

    def table(self, explain: bool) -> list[str]:
        """The lines of the table; none where no model was called.

        Args:
            explain: nothing was swapped, but what would have been is noted as if it had.
        """
        lines = list(self.lines.values())
        if not lines:
            return []
        swapped = [line for line in lines if not line.reason]
        word = said("would be" if explain else "was")
        total, count = sum(line.calls for line in lines), sum(line.calls for line in swapped)
        rows = [(said("where"), said("call"), said("times"), said("seconds"), word)]
        for line in lines:
            way = said("no" if line.reason else "yes")
            rows.append((line.place, line.method, str(line.calls), f"{line.seconds:.2f}", way))
        wide = [max(_columns(row[i]) for row in rows) for i in range(4)]
        shown = [said("swapped", count=count, total=total, word=word)]
        for row, reason in zip(rows, ["", *(line.reason for line in lines)], strict=True):
            gaps = [" " * (width - _columns(cell)) for width, cell in zip(wide, row, strict=False)]
            cells = [row[0] + gaps[0], row[1] + gaps[1], gaps[2] + row[2], gaps[3] + row[3]]
            shown.append(f"  {'  '.join(cells)}  {row[4]}{': ' + reason if reason else ''}")
        if swapped and not explain:
            saved = sum(max(0.0, line.in_keras - line.seconds) for line in swapped)
            shown.append(said("saved", seconds=saved))
        return shown

    def print(self, explain: bool) -> None:
        """Print the table on stderr."""
        for line in self.table(explain):
            print(line, file=sys.stderr)


def _columns(text: str) -> int:
    """The columns that a text takes on a terminal: two for each Japanese letter."""
    return len(text) if text.isascii() else sum(2 if east_asian_width(one) in "WF" else 1 for one in text)
