"""The command `tsuzuki`, also as `python -m tsuzuki`.

What the command line needs takes longer to import than some scripts run, so `tsuzuki run SCRIPT` goes straight there.
"""

import os
import sys


def main() -> None:
    """Run the command that stands in `sys.argv`."""
    try:
        _run()
    except KeyboardInterrupt:
        # Commands say so themselves; this was Ctrl-C while they were imported.
        if "--debug" in sys.argv:
            raise
        from tsuzuki.commands.texts import said

        print(said("interrupted"), file=sys.stderr)
        raise SystemExit(130) from None


def _run() -> None:
    if sys.argv[1:2] == ["run"] and "TSUZUKI_LOG" not in os.environ:
        from tsuzuki.autofit.run_script import call_of, run_script

        call = call_of(sys.argv[2:])
        if call is not None:
            run_script(call.script, call.arguments, strict=call.strict, explain=call.explain, lang=call.lang)
            return
    from tsuzuki import cli

    cli.main()


if __name__ == "__main__":
    main()
