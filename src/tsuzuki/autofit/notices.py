"""What is said about old names: once for each, on stderr, with the name of today."""

import sys

from tsuzuki.autofit.texts import name_of_today, said
from tsuzuki.keras.private_names import TO_KERAS_3

_said: set[str] = set()


def say_once(old: str, today: str) -> None:
    """Say that a name is old, unless that was said before."""
    if old not in _said:
        _said.add(old)
        print(said("old name", old=old, today=name_of_today(today)), file=sys.stderr)


def say_left_alone(module: object) -> None:
    """Say that models of Keras 2 are not trained here."""
    print(said("left alone", how=TO_KERAS_3), file=sys.stderr)
