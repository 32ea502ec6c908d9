"""The wheel brings every kernel as bitcode, so that whoever installs it needs no compiler (see `kernels.build`)."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

WIDTHS = (16, 8, 4)


class KernelHook(BuildHookInterface):
    """Compiles the kernels for each vector width; not for an editable install, which compiles what it runs."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Make the bitcode and add it to the wheel."""
        if version == "editable":
            return
        self.folder = tempfile.TemporaryDirectory()
        for width in WIDTHS:
            environment = {
                **os.environ,
                # pip brings what the build requires by this path, too.
                "PYTHONPATH": os.pathsep.join(filter(None, (str(Path(self.root) / "src"), os.getenv("PYTHONPATH")))),
                "TSUZUKI_VECTOR_WIDTH": str(width),
                "NUMBA_OPT": "0",
            }
            subprocess.run(
                [sys.executable, "-m", "tsuzuki.kernels.build", self.folder.name], env=environment, check=True
            )
        for path in Path(self.folder.name).iterdir():
            build_data["force_include"][str(path)] = f"tsuzuki/kernels/bitcode/{path.name}"
