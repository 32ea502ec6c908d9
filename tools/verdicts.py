"""What became of planted faults: kept in a file, so that a run goes on where another stopped, and the share noticed."""

import json
import math
from pathlib import Path


class Verdicts:
    """Faults that were planted, and whether a test noticed.

    Args:
        kept: a file with a line of each, which is added to; None to keep them here alone.
    """

    def __init__(self, kept: Path | None) -> None:
        self._kept = kept
        self._found: dict[tuple[int, str, str], str] = {}
        if kept is not None and kept.exists():
            for line in kept.read_text("utf-8").splitlines():
                one = json.loads(line)
                self._found[one["number"], one["place"], one["change"]] = one["verdict"]

    def knows(self, number: int, place: str, change: str) -> bool:
        """Whether this fault has been planted: a module that has changed since has others."""
        return (number, place, change) in self._found

    def add(self, number: int, place: str, change: str, verdict: str) -> None:
        """Take down what became of a fault: `killed`, `endless`, or a word on the tests that did not notice."""
        self._found[number, place, change] = verdict
        if self._kept is not None:
            with self._kept.open("a", encoding="utf-8") as file:
                one = {"number": number, "place": place, "change": change, "verdict": verdict}
                file.write(json.dumps(one, ensure_ascii=False) + "\n")

    @property
    def planted(self) -> int:
        """How many."""
        return len(self._found)

    @property
    def killed(self) -> int:
        """How many a test noticed."""
        return sum(verdict in ("killed", "endless") for verdict in self._found.values())

    def listed(self, *, noticed: bool) -> list[list[int | str]]:
        """Number, place, change and verdict of those that no test noticed; of those that ran for ever otherwise."""
        words = ("endless",) if noticed else ("run by tests", "run by no test")
        return [[*key, verdict] for key, verdict in sorted(self._found.items()) if verdict in words]


def likely(share_of: int, count: int, z: float = 1.96) -> tuple[float, float]:
    """Between which shares the true one lies, at 95 %, where so many of a fair sample were noticed (Wilson, 1927)."""
    if not count:
        return 0.0, 1.0
    share, extra = share_of / count, z * z / count
    middle = (share + extra / 2) / (1 + extra)
    half = z / (1 + extra) * math.sqrt(share * (1 - share) / count + extra / (4 * count))
    return middle - half, middle + half
