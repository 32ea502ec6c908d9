"""Modules that Keras 3 no longer has, and a place to stand when Keras is imported.

A finder at the head of `sys.meta_path` does both: it serves an old module as a copy of what is in its successor, and
tells whoever asked when a module of Keras has been loaded. So nothing of Keras is imported before the script does.
"""

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from tsuzuki.autofit.keras_1 import Merge
from tsuzuki.autofit.notices import say_once
from tsuzuki.keras.private_names import INNER_KERAS, KEPT_FOR_TF, KERAS_2, ROOTS

# What stood in these modules under Keras stands in those today.
SUCCESSORS = {
    "layers.recurrent": "layers",
    "layers.cudnn_recurrent": "layers",
    "layers.core": "layers",
    "layers.embeddings": "layers",
    "layers.wrappers": "layers",
    "layers.noise": "layers",
    "layers.merge": "layers",
    "layers.normalization": "layers",
    "layers.convolutional": "layers",
    "layers.pooling": "layers",
    "layers.advanced_activations": "layers",
    "utils.np_utils": "utils",
    "utils.generic_utils": "utils",
    "utils.vis_utils": "utils",
    "utils.data_utils": "utils",
    "utils.layer_utils": "utils",
    "utils.training_utils": "utils",
    "callbacks.callbacks": "callbacks",
    "backend.tensorflow_backend": "backend",
    "engine": "layers",
    "engine.topology": "layers",
    "engine.input_layer": "layers",
    "engine.training": "models",
    "engine.sequential": "models",
    "engine.base_layer": "layers",
    "engine.network": "models",
    "layers.local": "layers",
    "layers.convolutional_recurrent": "layers",
    "objectives": "losses",
    "initializations": "initializers",
    "utils.visualize_util": "utils",
}


class OldModules:
    """The finder. No abstract class stands over it: `importlib.abc` takes half as long to import as all the rest.

    Args:
        loaded: for the name of a module, what to do with it once it is loaded.
    """

    def __init__(self, loaded: Mapping[str, Callable[[ModuleType], object]]) -> None:
        self._loaded = loaded
        self._looking = False

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Serve old modules, and watch others being loaded; None for all the rest."""
        if self._looking or not name.startswith(("keras", "tensorflow.keras", KERAS_2)):
            return None
        if name in KEPT_FOR_TF:
            kept: Any = _Copy(name, KEPT_FOR_TF[name], f"tensorflow.{name}")
            return importlib.util.spec_from_loader(name, kept, is_package=True)
        for root in ROOTS:
            if name.startswith(root + ".") and name[len(root) + 1 :] in SUCCESSORS:
                loader: Any = _Copy(name, f"{root}.{SUCCESSORS[name[len(root) + 1 :]]}")
                return importlib.util.spec_from_loader(name, loader, is_package=True)
        if name not in self._loaded:
            return None
        self._looking = True
        try:
            spec = importlib.util.find_spec(name)
        finally:
            self._looking = False
        if spec is not None and spec.loader is not None:
            told: Any = _Told(spec.loader, self._loaded[name])
            spec.loader = told
        return spec


class _Copy:
    """Loads an old module: the names of its successor."""

    def __init__(self, name: str, successor: str, said: str = "") -> None:
        self._name, self._successor, self._said = name, successor, said or successor

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        say_once(self._name, self._said)
        successor = importlib.import_module(self._successor)
        for name in dir(successor):
            if not name.startswith("__"):
                setattr(module, name, getattr(successor, name))
        if hasattr(successor, "__getattr__"):
            module.__getattr__ = successor.__getattr__  # type: ignore[method-assign]
        if self._name.endswith(".layers.merge"):
            module.__class__ = Merge


class _Told:
    """Loads a module as its own loader does, and tells of it."""

    def __init__(self, loader: Any, loaded: Callable[[ModuleType], object]) -> None:
        self._loader, self._tell = loader, loaded

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        found: ModuleType | None = self._loader.create_module(spec)
        return found

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        # From here on the module is as if nobody had looked.
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        module.__loader__ = self._loader
        self._tell(module)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)


def redirecting(plain: Any) -> Any:
    """An `__import__` with which `from tensorflow.python.keras… import` gives Keras 3's names, but to TensorFlow."""

    def imports(
        name: str,
        globals: Mapping[str, object] | None = None,
        locals: Mapping[str, object] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> Any:
        if fromlist and level == 0 and (name == INNER_KERAS or name.startswith(INNER_KERAS + ".")):
            importer = str((globals or {}).get("__name__", ""))
            if not importer.startswith(("tensorflow", "keras")):
                rest = name[len(INNER_KERAS) :]
                say_once(name, f"keras{rest}")
                name = f"tensorflow.keras{rest}"
        return plain(name, globals, locals, fromlist or (), level)

    return imports
