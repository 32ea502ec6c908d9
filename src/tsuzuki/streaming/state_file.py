"""Whose states a file holds: the series, and the model that the states belong to."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tsuzuki.errors import FileError
from tsuzuki.forecasting.serialization import model_id

if TYPE_CHECKING:
    from tsuzuki.streaming.bank import Bank


def owner_of(bank: "Bank") -> dict[str, Any]:
    """What a file of a bank's states says of its series and its model."""
    return {"ids": list(bank.ids), "model": model_id(bank.fitted)}


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
