"""The languages that are spoken, and the one that the environment asks for."""

import os
import sys

LANGUAGES = ("en", "ja")


def of_environment() -> str:
    """The language of the environment (LC_ALL, LC_MESSAGES, LANG): ja, or en for all others."""
    named = next((os.environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(name)), "")
    if not named and sys.platform == "win32":
        import locale

        named = locale.getlocale()[0] or ""
    return "ja" if named.lower().startswith("ja") else "en"
