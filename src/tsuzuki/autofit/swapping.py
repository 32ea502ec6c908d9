"""Keras's `fit`, `evaluate`, `predict` and their kin, done by the compiled engine where it can, else by Keras.

A call is first read and checked as a whole. Only then is anything computed, so what goes to Keras goes there as it was.
"""

import itertools
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import wraps
from inspect import signature
from types import ModuleType
from typing import Any

from tsuzuki.autofit.call_log import CallLog
from tsuzuki.autofit.old_names import today
from tsuzuki.errors import DivergedError, NotSwappedError, SettingError, TsuzukiError, UnsupportedModel

_calls = itertools.count()


@dataclass
class Settings:
    """How strict to be.

    Attributes:
        strict: raise where a call is not swapped.
        explain: swap nothing, and note what would be done.
    """

    strict: bool = False
    explain: bool = False


settings, log = Settings(), CallLog()


def swap(keras: ModuleType) -> None:
    """Put the engine in front of the methods of `keras.Model`."""
    for method, run in SWAPPED.items():
        setattr(keras.Model, method, _in_front(method, getattr(keras.Model, method), run))
    if keras.backend.backend() == "tensorflow":
        from tsuzuki.autofit import direct_calls

        keras.Model.__call__ = direct_calls.in_front(keras.Model.__call__, _called)


def _in_front(method: str, plain: Callable[..., Any], run: Callable[..., tuple[Any, int]]) -> Callable[..., Any]:
    bind = signature(plain).bind

    @wraps(plain)
    def call(self: Any, *arguments: Any, **options: Any) -> Any:
        # Keras's own fit evaluates so.
        if "_use_cached_eval_dataset" in options:
            return plain(self, *arguments, **options)
        options, place, began = today(method, options), _place(), time.perf_counter()
        given: dict[str, Any] = {}
        try:
            given = dict(bind(self, *arguments, **options).arguments)
            del given["self"]
        except TypeError:
            return plain(self, *arguments, **options)
        source = _Remembered(given["x"]) if isinstance(given.get("x"), Iterator) else None
        if source is not None:
            given["x"] = source
        left: Any = None
        try:
            found, batches = run(self, given)
        except TsuzukiError as error:
            left = getattr(error, "left", None)
            reason = ", ".join(problem.split(";")[0] for problem in getattr(error, "problems", (str(error),)))
            if settings.strict:
                raise NotSwappedError(f"{place}: {method} cannot be swapped: {reason}") from None
        else:
            if not settings.explain:
                log.add(place, method, "", time.perf_counter() - began, batches)
                return found
            reason = ""
        if source is not None:
            given["x"] = source.again()
        began = time.perf_counter()
        found = plain(self, **given) if left is None else _resume(plain, self, given, left)
        log.add(place, method, reason, time.perf_counter() - began)
        return found

    return call


class _GoesOnError(TsuzukiError):
    """The engine has left the rest of an epoch, and what follows, to Keras."""

    def __init__(self, error: TsuzukiError, left: Any) -> None:
        super().__init__(str(error))
        self.left = left


def _resume(plain: Callable[..., Any], model: Any, given: dict[str, Any], left: Any) -> Any:
    from tsuzuki.autofit.resuming import resume

    return resume(plain, model, given, left)


def _fit(model: Any, given: dict[str, Any]) -> tuple[Any, int]:
    from tsuzuki.keras.batches import comes_in_batches
    from tsuzuki.keras.fit_model import check_model, prepare

    first = given.pop("initial_epoch", 0)
    x = given.get("x")
    options = {"shuffle": True, **given}
    if comes_in_batches(x):
        check_model(model)
        if settings.explain:
            return None, 0
    elif _has_samples(x):
        rows = given.get("batch_size") or 32
        options["validation_batch_size"] = given.get("validation_batch_size") or rows
        # Keras makes one smaller batch of few samples.
        split = 0.0 if given.get("validation_data") is not None else given.get("validation_split") or 0.0
        options["batch_size"] = max(1, min(rows, int(_samples(x) * (1 - split))))
    try:
        run = prepare(model, **options, reset_states="never", as_keras=True, seed=_seed())
    finally:
        given["initial_epoch"] = first
    if settings.explain:
        return None, 0
    if isinstance(x, _Remembered):
        x.forget()
        run.renew = x.kept_by(run.renew)
    try:
        history = run.go(first)
    except SettingError as error:
        # This epoch's batches are not like the first one's, or have run out.
        raise _GoesOnError(error, run.whole_epoch()) from None
    except DivergedError as error:
        if run.unfinished is not None:
            raise _GoesOnError(error, run.unfinished) from None
        if isinstance(x, _Remembered):
            raise
        run.rewind()
        raise
    return history, run.training.layout.updates * len(history.epoch)


def _evaluate(model: Any, given: dict[str, Any]) -> tuple[Any, int]:
    from tsuzuki.keras.batches import comes_in_batches
    from tsuzuki.keras.fit_model import check_model
    from tsuzuki.keras.forward import prepare_evaluate

    if settings.explain and comes_in_batches(given.get("x")):
        check_model(model)
        return None, 0
    options = {name: value for name, value in given.items() if name != "return_dict"}
    forward = prepare_evaluate(model, **_with_rows(options))
    if settings.explain:
        return None, 0
    return forward.score(bool(given.get("return_dict"))), forward.epoch.layout.updates


def _predict(model: Any, given: dict[str, Any]) -> tuple[Any, int]:
    from tsuzuki.keras.batches import comes_in_batches
    from tsuzuki.keras.forward import is_a_batch, prepare_predict
    from tsuzuki.keras.model_to_network import reading_of

    if settings.explain and comes_in_batches(given.get("x")):
        reading_of(model)
        return None, 0
    quiet = given.get("verbose") == 0 and not given.keys() - {"x", "batch_size", "verbose"}
    if quiet and not settings.explain and is_a_batch(given.get("x"), given.get("batch_size")):
        return _predict_on_batch(model, given)
    forward = prepare_predict(model, **_with_rows(given))
    if settings.explain:
        return None, 0
    return forward.predict(), forward.epoch.layout.updates


def _train_on_batch(model: Any, given: dict[str, Any]) -> tuple[Any, int]:
    from tsuzuki.keras.batch_calls import put, train_on_batch

    _check_batch_calls()
    if settings.explain:
        put("train", model, *(given.get(name) for name in ("x", "y", "sample_weight", "class_weight")), as_keras=True)
        return None, 0
    return train_on_batch(model, **given, as_keras=True), 1


def _test_on_batch(model: Any, given: dict[str, Any]) -> tuple[Any, int]:
    from tsuzuki.keras.batch_calls import put, test_on_batch

    _check_batch_calls()
    if settings.explain:
        put("test", model, *(given.get(name) for name in ("x", "y", "sample_weight")), as_keras=True)
        return None, 0
    return test_on_batch(model, **given, as_keras=True), 1


def _check_batch_calls() -> None:
    from tsuzuki.keras.private_names import means_of_batches

    if means_of_batches():
        raise SettingError("this version of Keras gives means over all batches since reset_metrics(); update Keras")


def _predict_on_batch(model: Any, given: dict[str, Any]) -> tuple[Any, int]:
    from tsuzuki.keras.batch_calls import predict_on_batch
    from tsuzuki.keras.forward import prepare_predict

    if settings.explain:
        prepare_predict(model, given["x"], len(given["x"]))
        return None, 0
    return predict_on_batch(model, given["x"], as_keras=True), 1


def _called(model: Any, x: Any) -> Any:
    """The outputs of `model(x)`."""
    from tsuzuki.keras.batch_calls import predict_on_batch
    from tsuzuki.keras.kept_model import known

    if settings.explain:
        raise SettingError("nothing is swapped")
    began = time.perf_counter()
    kept = known(model)
    if kept is not None and any(kept.network.masked):
        raise UnsupportedModel("a mask goes with the outputs")
    found = predict_on_batch(model, x, as_keras=True)
    log.add(_place(), "model(x)", "", time.perf_counter() - began, 1)
    return found


SWAPPED = {
    "fit": _fit,
    "evaluate": _evaluate,
    "predict": _predict,
    "train_on_batch": _train_on_batch,
    "test_on_batch": _test_on_batch,
    "predict_on_batch": _predict_on_batch,
}


def _with_rows(given: dict[str, Any]) -> dict[str, Any]:
    x = given.get("x")
    rows = given.get("batch_size") or 32
    return given | ({"batch_size": max(1, min(rows, _samples(x)))} if _has_samples(x) else {})


def _has_samples(x: Any) -> bool:
    return isinstance(x, list | tuple | dict) or hasattr(x, "__array__")


def _samples(x: Any) -> int:
    """How many samples x has, by its first array."""
    import keras

    arrays = keras.tree.flatten(x) if isinstance(x, dict) else [x]
    if isinstance(x, list | tuple) and len(x) and hasattr(x[0], "shape") and len(x[0].shape) > 1:
        arrays = [x[0]]
    return len(arrays[0])


def _seed() -> int:
    """A number that follows from NumPy's generator without moving it, so that the script draws what it would draw."""
    import numpy as np

    twin = np.random.RandomState()
    twin.set_state(np.random.get_state())
    return (int(twin.randint(2**31)) + next(_calls)) % 2**31


def _place() -> str:
    """File and line of the call that is being looked at: the nearest one that is neither Keras's nor ours."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").split(".")[0] in ("tsuzuki", "keras"):
        frame = frame.f_back
    return f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}"


class _Remembered(Iterator[Any]):
    """An iterator whose first values can be read again."""

    def __init__(self, given: Iterator[Any]) -> None:
        self._given, self._read, self._keeps = given, list[Any](), True

    def __next__(self) -> Any:
        found = next(self._given)
        if self._keeps:
            self._read.append(found)
        return found

    def again(self) -> Iterator[Any]:
        """A generator of everything from the start."""
        yield from self._read
        yield from self._given

    def kept_by(self, read: Callable[[Any], None] | None) -> Callable[[Any], None] | None:
        """A function that reads an epoch, whose values can be read again until it is done."""
        if read is None:
            return None

        def kept(given: Any) -> None:
            self._keeps = True
            read(given)
            self.forget()

        return kept

    def forget(self) -> None:
        """Keep no values: they are not read again."""
        self._read, self._keeps = [], False
