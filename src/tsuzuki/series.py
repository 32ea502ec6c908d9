"""One or many series on a regular grid."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Segment:
    """An unbroken stretch: positions start to stop (exclusive) of a flat array."""

    start: int
    stop: int
