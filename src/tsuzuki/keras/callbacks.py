"""Which callbacks want to hear of single batches; calling Python between updates costs more than the updates."""

from typing import Any

import keras

TRAINING = ("on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end")
TESTING = ("on_test_batch_begin", "on_test_batch_end")


def hears(callback: Any, hooks: tuple[str, ...]) -> bool:
    """Whether a callback does something in one of its hooks for batches."""
    known = keras.callbacks
    kind = type(callback)
    # The bar is told now and then; a loss that is not finite is seen by the kernel and told to TerminateOnNaN.
    if kind in (known.ProgbarLogger, known.TerminateOnNaN):
        return False
    # These override the hooks, but do nothing there if they are asked to work once an epoch.
    if kind in (known.ModelCheckpoint, known.BackupAndRestore) and callback.save_freq == "epoch":
        return False
    if (
        kind is known.TensorBoard
        and callback.update_freq == "epoch"
        and not callback.write_steps_per_second
        and not getattr(callback, "_should_trace", True)
    ):
        return False
    # Keras marks its own empty hooks so.
    return any(not getattr(getattr(callback, hook), "_is_default", False) for hook in hooks)
