"""The packages of tsuzuki in the order in which imports run, and the imports that there are.

The one place where the order stands: `tests/test_architecture.py` holds it up, `tools/draw_rooms.py` draws it.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "src" / "tsuzuki"

# From the top floor to the ground, with what each package knows. A module imports only from its own package and from
# those further down; on one floor, from those further right.
FLOORS: tuple[dict[str, str], ...] = (
    {"cli": "the command line", "commands": "arguments in, tables and exit codes out"},
    {"autofit": "an unmodified Keras script, its training done here"},
    {"report": "pages and pictures"},
    {"sktime": "the forecaster as one of sktime's", "darts": "the forecaster as one of Darts' models"},
    {"dispatch": "one `fit` for networks and Keras models", "forecaster": "settings and a frame in, a frame out"},
    {"distributed": "many series, over processes and machines"},
    {"streaming": "one reading at a time, states kept"},
    {"forecasting": "frames to forecasts with intervals, measured"},
    {"experiment": "whether carrying the state helps"},
    {"keras": "Keras models in and out", "torch": "PyTorch modules in and out", "adapters": "scikit-learn and ONNX"},
    {"training": "epochs, checkpoints, early stopping"},
    {"engine": "a network made ready to compute"},
    {"kernels": "compiled arithmetic"},
    {"layouts": "which rows an update holds"},
    {"network": "layers, losses and optimisers, as descriptions"},
    {"data": "files and frames to series on a grid"},
    {
        "formatting": "numbers as text, and its language",
        "storage": "files written and read safely",
        "errors": "one family of exceptions",
    },
)
KNOWS = {name: what for floor in FLOORS for name, what in floor.items()}
ORDER = tuple(KNOWS)
# The package's own front: the table of public names, and `python -m tsuzuki`.
FRONT = ("__init__", "__main__")


@dataclass(frozen=True)
class Import:
    """One import: the importing file, and the file of the module that it imports, both relative to the package."""

    importer: Path
    imported: Path

    @property
    def packages(self) -> tuple[str, str]:
        """The packages of both; a module directly under tsuzuki is one by itself."""
        return package_of(self.importer), package_of(self.imported)


def package_of(module: Path) -> str:
    """The package of a file that is given relative to tsuzuki."""
    return module.parts[0] if len(module.parts) > 1 else module.stem


def modules(root: Path = PACKAGE) -> list[Path]:
    """All modules, relative to the package."""
    return sorted(path.relative_to(root) for path in root.rglob("*.py"))


def imports(root: Path = PACKAGE) -> list[Import]:
    """All imports of one module of tsuzuki by another, those inside functions and for type checkers included."""
    return [
        Import(module, imported)
        for module in modules(root)
        for imported in _imported(ast.parse((root / module).read_text("utf-8")), module, root)
    ]


def _imported(tree: ast.Module, module: Path, root: Path) -> Iterator[Path]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parents = ["tsuzuki", *module.parts][: -node.level or None] if node.level else []
            source = ".".join([*parents, *([node.module] if node.module else [])])
            names = [f"{source}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            # The version is written down in the package's front, and may be read by every module.
            if name.split(".")[0] == "tsuzuki" and name != "tsuzuki.__version__":
                yield _file(name.split(".")[1:], root)


def _file(parts: list[str], root: Path) -> Path:
    """The file that holds what a dotted name below tsuzuki names: a module, or something in one."""
    for length in range(len(parts), 0, -1):
        path = Path(*parts[:length])
        if (root / path.with_suffix(".py")).is_file():
            return path.with_suffix(".py")
        if (root / path / "__init__.py").is_file():
            return path / "__init__.py"
    return Path("__init__.py")


def upward(root: Path = PACKAGE) -> list[Import]:
    """The imports that run against the order.

    Raises:
        ValueError: a package has no place in the order.
    """
    found = []
    for one in imports(root):
        importer, imported = one.packages
        if importer in FRONT or importer == imported:
            continue
        if imported in FRONT or ORDER.index(importer) > ORDER.index(imported):
            found.append(one)
    return found


def edges(root: Path = PACKAGE) -> set[tuple[str, str]]:
    """Which package imports from which."""
    pairs = {one.packages for one in imports(root)}
    return {(above, below) for above, below in pairs if above != below and not {above, below} & set(FRONT)}
