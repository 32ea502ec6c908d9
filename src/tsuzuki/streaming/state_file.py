"""The states of a bank as numbers and as a file, which says whose they are: the series, and the model."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tsuzuki.errors import DataError, FileError
from tsuzuki.forecasting.serialization import model_id

if TYPE_CHECKING:
    from tsuzuki.streaming.bank import Bank


def owner_of(bank: "Bank") -> dict[str, Any]:
    """What a file of a bank's states says of its series and its model."""
    return {"ids": list(bank.ids), "model": model_id(bank.fitted)}


def states_of(bank: "Bank", which: NDArray[np.int64]) -> NDArray[np.float32]:
    """All that forecasts of some series depend on, as numbers, float32 [series, size]."""
    parts = [bank.latest[which], *(saved.states(which) for saved in bank.saved_states)]
    for rows in _read_back(bank):
        back = bank.at[which][:, None] + np.arange(-bank.before, 1)
        parts.append(rows[back, which[:, None], 0])
    if bank.covariates is not None:
        parts.append(bank.covariates.states[which])
    parts += [bank.recent.states[which], bank.recent.windows(which, bank.at[which])]
    return np.concatenate(parts, axis=1)


def put_states(bank: "Bank", which: NDArray[np.int64], states: NDArray[np.float32]) -> None:
    """Put back what `states_of` gave, to the first rows that the bank has.

    Raises:
        DataError: states of another size.
    """
    networks, read_back = len(bank.saved_states), _read_back(bank)
    sizes = [bank.latest.shape[1], *(saved.size for saved in bank.saved_states)]
    sizes += [bank.before + 1 for _ in read_back]
    sizes += [] if bank.covariates is None else [bank.covariates.states.shape[1]]
    sizes += [bank.recent.states.shape[1], bank.recent.size]
    if states.shape != (len(which), sum(sizes)):
        raise DataError(
            f"the stored states have {states.shape[-1]} numbers, but this forecaster's have {sum(sizes)}; "
            "use the states with the model that wrote them"
        )
    parts = np.split(states, np.cumsum(sizes)[:-1], axis=1)
    bank.latest[which] = parts[0]
    bank.recent.states[which] = parts[-2]
    bank.recent.put(which, parts[-1])
    if bank.covariates is not None:
        bank.covariates.states[which] = parts[-3]
    for saved, own in zip(bank.saved_states, parts[1 : 1 + networks], strict=True):
        saved.set_states(own, which)
    for rows, own in zip(read_back, parts[1 + networks : 1 + networks + len(read_back)], strict=True):
        rows[: bank.before + 1, which, 0] = own.T


def arrays_of(bank: "Bank") -> dict[str, NDArray[Any]]:
    """Where the networks stand in every series, as arrays."""
    return {
        "states": states_of(bank, np.arange(len(bank.ids))),
        "times": bank.stamps.astype(np.int64),
        "missing": bank.missing,
        "scales": bank.scales,
        "marks": bank.recent.transform.marks,
    }


def adopt(bank: "Bank", arrays: Mapping[str, NDArray[Any]]) -> None:
    """Put a bank where `arrays_of` says that one stood.

    Raises:
        DataError: arrays of other sizes.
    """
    bank.recent.put_scales(slice(None), arrays["scales"], arrays["marks"])
    stamps = arrays["times"].astype("datetime64[ns]")
    bank.restore(np.arange(len(bank.ids)), arrays["states"].astype(np.float32), stamps, arrays["missing"])


def _read_back(bank: "Bank") -> list[NDArray[np.float32]]:
    """The rows of which lags are read: those of networks that stand alone."""
    return bank.rows if bank.fitted.rules.alone else []


def write_states(bank: "Bank", path: str | Path) -> None:
    """Write where the networks stand in every series of a bank; see `Bank.save`."""
    from tsuzuki.storage import write

    write(path, "stream", owner_of(bank), arrays_of(bank))


def read_states(bank: "Bank", path: str | Path) -> None:
    """Put a bank where `write_states` said that it was; see `Bank.load`."""
    from tsuzuki.storage import read

    stored = read(path, "stream")
    check_owner(stored.facts, bank, path)
    adopt(bank, stored.arrays)


def check_owner(facts: Mapping[str, Any], bank: "Bank", path: str | Path) -> None:
    """Check that a file's states are those of a bank's series and model.

    Raises:
        FileError: they belong to another model or to other series.
    """
    owner = owner_of(bank)
    if facts.get("model") != owner["model"]:
        raise FileError(f"{path} holds the states of another model; load them with the model that wrote them")
    if facts.get("ids") != owner["ids"]:
        raise FileError(f"{path} holds the states of other series; make the bank of the same ids")
