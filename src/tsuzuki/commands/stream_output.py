"""What `tsuzuki stream` says: forecasts on standard output, and messages about lines that are left out."""

import errno
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass

import typer

from tsuzuki.commands.terminal import in_words
from tsuzuki.commands.texts import said
from tsuzuki.errors import FileError

# The number of messages about single lines shown; further ones are only counted.
MAX_MESSAGES = 20
# The code of a program whose reader went away, as shells count it: 128 and SIGPIPE.
BROKEN_PIPE = 141


class Output:
    """Standard output, whose reader may go away and whose disk may be full."""

    def __init__(self) -> None:
        if sys.stdout is None or sys.stdin is None:
            closed = "output" if sys.stdin is not None else "input"
            raise FileError(f"standard {closed} is closed; give the command one")
        # Names are not all in the letters of a terminal's old encoding.
        sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]

    def write(self, text: str, line: int) -> None:
        """Write lines out; what cannot be written is in the states all the same.

        Raises:
            FileError: there is no room.
        """
        try:
            sys.stdout.write(text)
            sys.stdout.flush()
        except OSError as error:
            # Else Python writes the rest once more when it ends, and fails with an exit code of its own.
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            kept = said("states hold", line=line)
            # Windows calls a pipe whose reader went away an invalid argument.
            gone = sys.platform == "win32" and error.errno == errno.EINVAL
            if gone or isinstance(error, BrokenPipeError):
                typer.echo(said("reader gone", kept=kept), err=True)
                raise typer.Exit(BROKEN_PIPE) from None
            raise FileError(f"standard output cannot be written ({error.strerror}); {kept}") from None


@dataclass
class Messages:
    """Messages about lines that are left out."""

    quiet: bool
    count: int = 0

    def print_notes(self, notes: Iterable[tuple[int, str]]) -> None:
        """Print notes (line, why) in the order of the lines, up to the limit."""
        for line, text in sorted(notes):
            self.count += 1
            if not self.quiet and self.count <= MAX_MESSAGES:
                typer.echo(said("line", line=line, text=in_words(text)), err=True)
                if self.count == MAX_MESSAGES:
                    typer.echo(said("only counted"), err=True)
