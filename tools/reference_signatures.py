"""What Griffe, which reads sources without running them, cannot see for the reference: arguments that are passed on.

A method decorated with `takes_arguments_of(X)` is shown with the parameters of the dataclass X. `mkdocs.yml` names this
file.
"""

from typing import Any

import griffe


class PassedOnArguments(griffe.Extension):
    """Gives `Forecaster` the parameters of `Settings`."""

    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        """Replace the parameters once all modules of the package are read."""
        for function in _functions(pkg):
            for decorator in function.decorators:
                if decorator.callable_path.endswith(".takes_arguments_of"):
                    described = function.parent.modules_collection[decorator.value.arguments[0].canonical_path]
                    own = next(iter(function.parameters))
                    passed_on = [one for one in described.parameters if one.name != own.name]
                    function.parameters = griffe.Parameters(own, *passed_on)


def _functions(thing: griffe.Module | griffe.Class) -> list[griffe.Function]:
    found = []
    for member in thing.members.values():
        if isinstance(member, griffe.Function):
            found.append(member)
        elif isinstance(member, griffe.Module | griffe.Class):
            found += _functions(member)
    return found
