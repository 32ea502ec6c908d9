"""Small faults that can be planted in a module: a comparison turned, a number one off, a condition dropped.

Left out is what no result depends on, or no test should repeat: decorators, the `strict` of `zip`, whether pandas
copies or numbers rows anew, whether JSON has letters as they are, the -1 of a shape, messages, types and what is
imported for them alone, numbers that a module names in capitals (tuned limits: a test that held them would only say
them again), whether two clocks may read the same, and choices by the operating system, of which a run sees one.
"""

import ast
import copy
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

COMPARISONS = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
# What is said to a call and changes no result: how it checks, copies, numbers, writes or reads.
UNSEEN = ("strict", "deep", "copy", "ignore_index", "ensure_ascii", "low_memory")
ARITHMETIC = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult}


@dataclass(frozen=True)
class Fault:
    """A module with one fault in it.

    Attributes:
        line: where.
        last: the last line of it.
        before: what stood there.
        after: what stands there now.
        plant: makes the whole module with it, in which all stands in the lines where it stood.
    """

    line: int
    last: int
    before: str
    after: str
    plant: Callable[[], ast.Module]

    @property
    def tree(self) -> ast.Module:
        """The whole module, parsed."""
        return self.plant()

    @property
    def source(self) -> str:
        """The whole module as text, without its comments."""
        return ast.unparse(self.tree) + "\n"


def faults(source: str) -> Iterator[Fault]:
    """Every fault that can be planted in a module."""
    for number, node in enumerate(_parts(ast.parse(source))):
        before = ast.unparse(node)
        for change in range(len(_changes(node))):
            twin = copy.deepcopy(node)
            _changes(twin)[change]()
            after = ast.unparse(twin)
            if after != before:
                plant = functools.partial(_planted, source, number, change)
                line = getattr(node, "lineno", 0)
                # Of a condition and what it guards, the condition.
                ends = node.test if isinstance(node, ast.If) else node
                yield Fault(line, getattr(ends, "end_lineno", line) or line, before, after, plant)


def _planted(source: str, number: int, change: int) -> ast.Module:
    tree = ast.parse(source)
    _changes(_parts(tree)[number])[change]()
    return ast.fix_missing_locations(tree)


def _is_said(node: ast.AST) -> bool:
    """Whether a node is a message or a type, which tests may leave alone."""
    return isinstance(node, ast.Raise | ast.JoinedStr | ast.AnnAssign | ast.Import | ast.ImportFrom)


def _is_limit(node: ast.AST) -> bool:
    """Whether a node gives numbers a name in capitals."""
    return isinstance(node, ast.Assign) and all(
        isinstance(name, ast.Name) and name.id.isupper()
        for target in node.targets
        for name in (target.elts if isinstance(target, ast.Tuple) else [target])
    )


def _is_of_words(node: ast.AST) -> bool:
    """Whether a node makes what a message says."""
    return isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["said"]


def _is_of_clocks(node: ast.AST) -> bool:
    return isinstance(node, ast.Compare) and "time.monotonic()" in ast.unparse(node)


def _is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def _is_by_system(node: ast.AST) -> bool:
    test = node.test if isinstance(node, ast.If | ast.IfExp) else node
    if isinstance(test, ast.BoolOp):
        return any(_is_by_system(value) for value in test.values)
    return isinstance(test, ast.Compare) and ast.unparse(test.left) in ("os.name", "sys.platform")


def _parts(tree: ast.AST) -> list[ast.AST]:
    """The nodes of a module in order, less those left out."""
    left_out = set()
    for node in ast.walk(tree):
        if _is_of_clocks(node):
            left_out.add(id(node))
        if _is_limit(node) or _is_for_types(node) or _is_by_system(node):
            left_out |= {id(part) for part in ast.walk(node)}
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            left_out |= {id(part) for decorator in node.decorator_list for part in ast.walk(decorator)}
        if isinstance(node, ast.keyword) and node.arg in UNSEEN:
            left_out |= {id(part) for part in ast.walk(node)}
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "reshape":
            # Any number below 0 says what -1 does.
            left_out |= {id(part) for one in node.args if ast.unparse(one) == "-1" for part in ast.walk(one)}
        if isinstance(node, ast.Raise | ast.JoinedStr) or _is_of_words(node):
            left_out |= {id(part) for part in ast.walk(node)}
    return [node for node in ast.walk(tree) if not _is_said(node) and id(node) not in left_out]


def _changes(node: ast.AST) -> list:
    """What may be done to a node, as functions that do it."""
    found = []
    if isinstance(node, ast.Compare) and type(node.ops[0]) in COMPARISONS:
        found.append(lambda: node.ops.__setitem__(0, COMPARISONS[type(node.ops[0])]()))
    if isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC:
        found.append(lambda: setattr(node, "op", ARITHMETIC[type(node.op)]()))
    if isinstance(node, ast.BoolOp):
        found.append(lambda: setattr(node, "op", ast.Or() if isinstance(node.op, ast.And) else ast.And()))
        found.append(lambda: node.values.pop())
    if isinstance(node, ast.Constant) and type(node.value) is int:
        found.append(lambda: setattr(node, "value", node.value + 1))
    if isinstance(node, ast.Constant) and type(node.value) is bool:
        found.append(lambda: setattr(node, "value", not node.value))
    if isinstance(node, ast.IfExp):
        found.append(lambda: setattr(node, "test", ast.Constant(True)))
    if isinstance(node, ast.If) and not node.orelse:
        found.append(lambda: setattr(node, "test", ast.Constant(False)))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub):
        found.append(lambda: setattr(node, "op", ast.UAdd() if isinstance(node.op, ast.USub) else ast.Not()))
    return found


def replaced(source: str, before: str, after: str) -> Fault:
    """A fault that puts a text in another's place.

    Raises:
        ValueError: the text does not stand in the module.
    """
    if before not in source:
        raise ValueError(f"{before!r} does not stand in the module any more")
    line = 1 + source[: source.index(before)].count("\n")
    return Fault(line, line + before.count("\n"), before, after, lambda: ast.parse(source.replace(before, after)))
