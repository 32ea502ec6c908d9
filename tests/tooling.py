"""The modules of the tools' folder, which is no package."""

import importlib.util
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
# Some import others of their folder.
sys.path.append(str(ROOT / "tools"))


def tool(name):
    """Import tools/NAME.py."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
