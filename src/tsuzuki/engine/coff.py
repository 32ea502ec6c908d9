"""Whether some bytes are an object file of Windows: all that a linker follows in one lies within it."""

import struct
from collections.abc import Sequence

import numpy as np

_MACHINES = {"amd64": 0x8664, "x86_64": 0x8664, "arm64": 0xAA64, "aarch64": 0xAA64}
_SECTION = struct.Struct("<8x2I4I2HI")
# A section without bytes in the file, and one of more relocations than its header can count.
_WITHOUT_BYTES, _OVERFLOWS = 0x80, 0x01000000
_EXTERNAL = 2
_RELOCATION = np.dtype([("at", "<u4"), ("symbol", "<u4"), ("type", "<u2")])


def is_coff(content: bytes, procedures: Sequence[str], machine: str) -> bool:
    """Whether this is a whole object file for a machine that defines these procedures; see `object_file.fits`."""
    target, count, _, symbols, number, optional = struct.unpack_from("<HHIIIH", content)
    texts = symbols + 18 * number
    if target != _MACHINES.get(machine) or optional or texts + 4 > len(content):
        return False
    (text_size,) = struct.unpack_from("<I", content, texts)
    if text_size < 4 or texts + text_size > len(content) or (text_size > 4 and content[texts + text_size - 1]):
        return False
    sizes = []
    for i in range(count):
        _, _, size, place, first, _, relocations, _, flags = _SECTION.unpack_from(content, 20 + _SECTION.size * i)
        if flags & _OVERFLOWS or (not flags & _WITHOUT_BYTES and place + size > len(content)):
            return False
        found = np.frombuffer(content, _RELOCATION, relocations, first) if relocations else np.zeros(0, _RELOCATION)
        if (found["symbol"] >= number).any() or (found["at"] >= size).any():
            return False
        sizes.append(size)
    return _defines(content, symbols, number, content[texts : texts + text_size], sizes, procedures)


def _defines(
    content: bytes, first: int, number: int, texts: bytes, sizes: list[int], procedures: Sequence[str]
) -> bool:
    defined, at = set(), 0
    while at < number:
        name, value, section, _, kind, more = struct.unpack_from("<8sIhHBB", content, first + 18 * at)
        at += 1 + more
        if name[:4] == b"\0\0\0\0":
            # A name of more than eight letters stands among the texts.
            place = int.from_bytes(name[4:], "little")
            if not 4 <= place < len(texts):
                return False
            name = texts[place : texts.index(b"\0", place)]
        if section > len(sizes) or (section > 0 and value > sizes[section - 1]):
            return False
        if section > 0 and kind == _EXTERNAL:
            defined.add(name.rstrip(b"\0"))
    return at == number and defined.issuperset(name.encode() for name in procedures)
