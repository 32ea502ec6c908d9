"""Keras on TensorFlow makes the variables of optimisers and metrics while it traces a model, and so traces it twice.

Made before, as Keras does with its other backends, they are the same, and a short training takes half the time.
"""

import contextlib


def trace_once():
    """Have models of Keras on TensorFlow built whole before they are trained on arrays."""
    from keras import tree
    from keras.src.backend.tensorflow.trainer import TensorFlowTrainer
    from keras.src.trainers.data_adapters.array_data_adapter import ArrayDataAdapter

    def build(self, iterator=None, data_batch=None):
        adapter = getattr(iterator, "data_adapter", None)
        if isinstance(adapter, ArrayDataAdapter):
            # Not the first batch: to draw it would change the order of the next.
            first = tree.map_structure(lambda one: None if one is None else one[: adapter.batch_size], adapter._inputs)
            with contextlib.suppress(Exception):
                self._symbolic_build(data_batch=first)
        elif self.built and self.optimizer is not None and not self.optimizer.built:
            self.optimizer.build(self.trainable_variables)

    TensorFlowTrainer._maybe_symbolic_build = build
