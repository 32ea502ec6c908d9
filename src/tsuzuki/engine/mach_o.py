"""Whether some bytes are an object file of macOS: all that a linker follows in one lies within it."""

import struct
from collections.abc import Sequence

import numpy as np

_MACHINES = {"x86_64": 0x01000007, "arm64": 0x0100000C}
_OBJECT, _MAGIC = 1, 0xFEEDFACF
_SEGMENT, _SYMBOLS, _MORE_SYMBOLS = 0x19, 0x2, 0xB
# Commands that name a piece of the file by its offset and size.
_PIECES = frozenset((0x1D, 0x26, 0x29, 0x2B, 0x2E))
# Kinds of sections without bytes in the file; a relocation of ARM whose symbol is a number to add.
_WITHOUT_BYTES, _ADDEND = frozenset((0x1, 0xC, 0x12)), 10
_SECTION = struct.Struct("<32x2Q5I12x")
_SYMBOL = np.dtype([("name", "<u4"), ("type", "u1"), ("section", "u1"), ("more", "<u2"), ("value", "<u8")])
_RELOCATION = np.dtype([("at", "<i4"), ("how", "<u4")])


def is_mach_o(content: bytes, procedures: Sequence[str], machine: str) -> bool:
    """Whether this is a whole object file for a machine that defines these procedures; see `object_file.fits`."""
    magic, target, _, kind, count, size = struct.unpack_from("<6I", content)
    if magic != _MAGIC or kind != _OBJECT or target != _MACHINES.get(machine) or 32 + size > len(content):
        return False
    at = 32
    sections: list[tuple[int, int, int, int]] = []
    tables = []
    for _ in range(count):
        command, length = struct.unpack_from("<2I", content, at)
        if length < 8 or at + length > 32 + size:
            return False
        if command == _SEGMENT:
            found = _sections(content, at, length)
            if found is None:
                return False
            sections += found
        elif command == _SYMBOLS:
            tables.append(struct.unpack_from("<4I", content, at + 8))
        elif command == _MORE_SYMBOLS:
            first, number = struct.unpack_from("<2I", content, at + 56)
            if first + 4 * number > len(content):
                return False
        elif command in _PIECES:
            first, number = struct.unpack_from("<2I", content, at + 8)
            if first + number > len(content):
                return False
        at += length
    if len(tables) != 1:
        return False
    symbols, number, text, text_size = tables[0]
    if symbols + 16 * number > len(content) or text + text_size > len(content) or text_size == 0:
        return False
    return _are_bound(content, sections, number, machine) and _defines(
        np.frombuffer(content, _SYMBOL, number, symbols), content[text : text + text_size], sections, procedures
    )


def _sections(content: bytes, at: int, length: int) -> list[tuple[int, int, int, int]] | None:
    """Address, size, first relocation and number of relocations of a segment's sections, None if one is not whole."""
    offset, within = struct.unpack_from("<2Q", content, at + 40)
    (count,) = struct.unpack_from("<I", content, at + 64)
    if offset + within > len(content) or 72 + _SECTION.size * count > length:
        return None
    found = []
    for number in range(count):
        address, size, place, _, first, relocations, kind = _SECTION.unpack_from(
            content, at + 72 + _SECTION.size * number
        )
        if (kind & 0xFF) not in _WITHOUT_BYTES and place + size > len(content):
            return None
        if first + 8 * relocations > len(content):
            return None
        found.append((address, size, first, relocations))
    return found


def _are_bound(content: bytes, sections: list[tuple[int, int, int, int]], symbols: int, machine: str) -> bool:
    """Whether relocations are of symbols and sections that there are, at places that there are."""
    for _, size, first, count in sections:
        found = np.frombuffer(content, _RELOCATION, count, first)
        of, outside, kind = found["how"] & 0xFFFFFF, (found["how"] >> 27) & 1 == 1, found["how"] >> 28
        width = 1 << ((found["how"] >> 25) & 3).astype(np.int64)
        counts = (kind != _ADDEND) if machine == "arm64" else np.ones(count, bool)
        # A scattered relocation, whose highest bit is set, is of machines that are no more.
        if (found["at"] < 0).any() or (found["at"] + width > size).any():
            return False
        if (of[counts & outside] >= symbols).any() or (of[counts & ~outside] > len(sections)).any():
            return False
    return True


def _defines(
    symbols: "np.ndarray[tuple[int], np.dtype[np.void]]",
    names: bytes,
    sections: list[tuple[int, int, int, int]],
    procedures: Sequence[str],
) -> bool:
    if not names.endswith(b"\0") or (symbols["name"] >= len(names)).any():
        return False
    inside = symbols[(symbols["type"] & 0x0E) == 0x0E]
    if (inside["section"] < 1).any() or (inside["section"] > len(sections)).any():
        return False
    for one in inside:
        address, size = sections[int(one["section"]) - 1][:2]
        if not address <= int(one["value"]) <= address + size:
            return False
    public = inside[inside["type"] & 1 == 1]
    defined = {names[at : names.index(b"\0", at)] for at in public["name"].tolist()}
    return defined.issuperset(f"_{name}".encode() for name in procedures)
