"""Whether some bytes are an object file for this machine that defines certain procedures, before a linker reads them.

A linker trusts its input: a section that reaches beyond the file ends in SIGSEGV. Here all that it follows is checked.
"""

import platform
import struct
import sys
from collections.abc import Sequence

import numpy as np

from tsuzuki.engine.coff import is_coff
from tsuzuki.engine.mach_o import is_mach_o

_ELF_MACHINES = {"x86_64": 62, "amd64": 62, "aarch64": 183, "arm64": 183}
_RELA, _SYMTAB, _NOBITS, _NULL = 4, 2, 8, 0
_SECTION = np.dtype(
    {
        "names": ["type", "offset", "size", "link", "info"],
        "formats": ["<u4", "<u8", "<u8", "<u4", "<u4"],
        "offsets": [4, 24, 32, 40, 44],
        "itemsize": 64,
    }
)
_SYMBOL = np.dtype(
    [("name", "<u4"), ("info", "u1"), ("other", "u1"), ("section", "<u2"), ("value", "<u8"), ("size", "<u8")]
)
_RELOCATION = np.dtype([("offset", "<u8"), ("type", "<u4"), ("symbol", "<u4"), ("addend", "<i8")])


def fits(content: bytes, procedures: Sequence[str]) -> bool:
    """Whether this is a whole object file for this machine that defines these procedures."""
    machine = platform.machine().lower()
    check = {"darwin": is_mach_o, "win32": is_coff}.get(sys.platform, _is_elf)
    try:
        return bool(procedures) and check(content, procedures, machine)
    except (ValueError, IndexError, OverflowError, struct.error):
        return False


def _is_elf(content: bytes, procedures: Sequence[str], machine: str) -> bool:
    kind, target = struct.unpack_from("<HH", content, 16)
    (place,) = struct.unpack_from("<Q", content, 40)
    size, count, names_at = struct.unpack_from("<HHH", content, 58)
    little = content[:6] == b"\x7fELF\x02\x01"
    if not little or kind != 1 or target != _ELF_MACHINES.get(machine) or size != _SECTION.itemsize or count < 2:
        return False
    sections = np.frombuffer(content, _SECTION, count, place)
    real = sections[(sections["type"] != _NOBITS) & (sections["type"] != _NULL)]
    ends = [int(one["offset"]) + int(one["size"]) for one in real]
    if max(ends) > len(content) or names_at >= count:
        return False
    tables = sections[sections["type"] == _SYMTAB]
    if len(tables) != 1 or tables[0]["link"] >= count:
        return False
    symbols = _table(content, tables[0], _SYMBOL)
    texts = sections[tables[0]["link"]]
    names = content[int(texts["offset"]) : int(texts["offset"]) + int(texts["size"])]
    # Numbers from 0xff00 on mean no section: absolute and common symbols.
    inside = symbols["section"] < 0xFF00
    if (
        not names.endswith(b"\0")
        or (symbols["name"] >= len(names)).any()
        or (symbols["section"][inside] >= count).any()
    ):
        return False
    for relocations in sections[sections["type"] == _RELA]:
        if relocations["info"] >= count:
            return False
        found, target_size = _table(content, relocations, _RELOCATION), int(sections[relocations["info"]]["size"])
        if (found["symbol"] >= len(symbols)).any() or (found["offset"] >= target_size).any():
            return False
    bodies = symbols[(symbols["info"] == 0x12) & (symbols["section"] > 0) & inside]
    sizes = sections["size"][bodies["section"]]
    if (bodies["value"] > sizes).any() or (bodies["size"] > sizes - bodies["value"]).any():
        return False
    defined = {names[at : names.index(b"\0", at)].decode("latin-1") for at in bodies["name"].tolist()}
    return defined.issuperset(procedures)


def _table(
    content: bytes, section: "np.void", kind: "np.dtype[np.void]"
) -> "np.ndarray[tuple[int], np.dtype[np.void]]":
    return np.frombuffer(content, kind, int(section["size"]) // kind.itemsize, int(section["offset"]))
