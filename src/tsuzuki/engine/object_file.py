"""Whether some bytes are an object file for this machine that defines certain procedures, before a linker reads them.

A linker trusts its input: a section that reaches beyond the file ends in SIGSEGV. Here all that it follows is checked.
"""

import platform
import struct
import sys
from collections.abc import Sequence

import numpy as np

_ELF_MACHINES = {"x86_64": 62, "amd64": 62, "aarch64": 183, "arm64": 183}
_MACH_O_MACHINES = {"x86_64": 0x01000007, "arm64": 0x0100000C}
_COFF_MACHINES = {"amd64": 0x8664, "x86_64": 0x8664, "arm64": 0xAA64}
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
    check = {"darwin": _is_mach_o, "win32": _is_coff}.get(sys.platform, _is_elf)
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


def _is_mach_o(content: bytes, procedures: Sequence[str], machine: str) -> bool:
    magic, target, _, kind, count, size = struct.unpack_from("<6I", content)
    if magic != 0xFEEDFACF or kind != 1 or target != _MACH_O_MACHINES.get(machine) or 32 + size > len(content):
        return False
    at, defined = 32, set[bytes]()
    for _ in range(count):
        command, length = struct.unpack_from("<2I", content, at)
        if length < 8 or at + length > 32 + size:
            return False
        if command == 0x19:  # a segment: its bytes lie in the file
            offset, within = struct.unpack_from("<2Q", content, at + 40)
            if offset + within > len(content):
                return False
        if command == 0x2:  # the symbols and their names
            symbols, number, text, text_size = struct.unpack_from("<4I", content, at + 8)
            if symbols + 16 * number > len(content) or text + text_size > len(content):
                return False
            defined |= set(content[text : text + text_size].split(b"\0"))
        at += length
    return defined.issuperset(f"_{name}".encode() for name in procedures)


def _is_coff(content: bytes, procedures: Sequence[str], machine: str) -> bool:
    target, sections, _, symbols, number, optional = struct.unpack_from("<HHIIIH", content)
    if target != _COFF_MACHINES.get(machine) or optional or symbols + 18 * number > len(content):
        return False
    for i in range(sections):
        size, offset, relocations, _, count, _ = struct.unpack_from("<4I2H", content, 20 + 40 * i + 16)
        if (offset and offset + size > len(content)) or relocations + 10 * count > len(content):
            return False
    names = content[symbols + 18 * number :][4:].split(b"\0")
    return set(names).issuperset(name.encode() for name in procedures)
