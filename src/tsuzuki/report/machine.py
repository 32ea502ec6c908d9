"""On what a page's numbers were made, and how to make them again."""

import os
import platform
from datetime import datetime
from html import escape
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from tsuzuki import __version__
from tsuzuki.report.page import Section
from tsuzuki.report.texts import Both, same


def machine(command: str, extra: list[tuple[Both, Both]] | None = None) -> Section:
    """The section with machine, versions and the command to repeat it.

    Args:
        command: what was run.
        extra: more facts of the run.
    """
    facts = [
        *(extra or []),
        (Both("Processor", "プロセッサ"), same(processor())),
        (Both("Cores", "コア数"), same(str(os.cpu_count()))),
        (Both("System", "OS"), same(f"{platform.system()} {platform.release()} ({platform.machine()})")),
        (Both("Versions", "バージョン"), same(", ".join(versions()))),
        (Both("Made", "作成日時"), same(datetime.now().astimezone().isoformat(" ", "minutes"))),
    ]
    return Section(
        "machine",
        Both("Machine, versions and command", "実行環境と再現コマンド"),
        (
            definitions(facts),
            f"<p>{Both('To repeat it:', '再現するには:').html()}</p><pre><code>{escape(command)}</code></pre>",
        ),
    )


def definitions(facts: list[tuple[Both, Both]]) -> str:
    """Facts as a list of terms and descriptions."""
    return f"<dl>{''.join(f'<dt>{term.html()}</dt><dd>{fact.html()}</dd>' for term, fact in facts)}</dl>"


def versions() -> list[str]:
    """Python's version and those of what the numbers depend on."""
    found = [f"tsuzuki {__version__}", f"Python {platform.python_version()}"]
    for name in ("numpy", "numba", "pandas", "plotly"):
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return found


def processor() -> str:
    """The processor's name as people know it, where the system tells it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
