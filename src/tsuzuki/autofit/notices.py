"""What is said about old names: once for each, on stderr, with the name of today."""

import sys

_said: set[str] = set()


def say_once(old: str, today: str) -> None:
    """Say that a name is old, unless that was said before."""
    if old not in _said:
        _said.add(old)
        print(f"tsuzuki: {old} is an old name; today it is {today}", file=sys.stderr)
