"""What all competitors share: they are told a job's number, and answer with one line of JSON."""

import json
from collections.abc import Sequence

from jobs import JOBS, Job


def job_from(arguments: Sequence[str]) -> Job:
    """The job that the command line names by its number."""
    return JOBS[int(arguments[1])]


def answer(us_per_update: Sequence[float], first_losses: float, compilation: float) -> None:
    """Print the times of all rounds, the mean loss of the first updates, and the seconds spent compiling."""
    found = {"us_per_update": list(us_per_update), "first_losses": first_losses, "compilation": compilation}
    print("RESULT " + json.dumps(found), flush=True)
