"""This library on a job, with the program that a small network gets after ten seconds of training."""

import time

from ours import main
from tsuzuki.engine import own_program
from tsuzuki.training.fit import fit

# Seconds of training after which there is none: ten until it is begun, three or four until it is made.
TOO_LONG = 120


def train_long(network, weights, series, layout) -> None:
    """Train until the network has a program of its own."""
    linked, found = own_program.linked, []

    def noted(file, symbol):
        found.append(linked(file, symbol))
        return found[-1]

    own_program.linked = noted
    began = time.perf_counter()
    while not any(found):
        fit(network, weights, series, series, layout, epochs=100, threads=1)
        if time.perf_counter() - began > TOO_LONG:
            raise SystemExit("no program of the network's own was made")


if __name__ == "__main__":
    main(threads=1, first=train_long)
