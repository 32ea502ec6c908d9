"""The bytes of a file and the text in them: standard input, packed files, encodings, and which files a name means."""

import gzip
import io
import re
import sys
import zlib
from collections.abc import Sequence
from glob import glob
from pathlib import Path

from tsuzuki.errors import FileError

# Further files of a folder are notes, pictures and the like.
SUFFIXES = (".csv", ".tsv", ".txt", ".parquet", ".xlsx", ".gz", ".zst")
# The codec of cp932 gives private characters for bytes that Shift_JIS does not have.
NO_LETTERS = re.compile("[\x80\uf8f0-\uf8f3]")
# Bytes that a packed file may unfold to.
LARGEST = 1 << 32
# Bytes in which a file that is no text shows that it is none.
LOOKED_THROUGH = 1 << 16
# Rows that are read at once: a time, a name and a value of each take 1 GB.
MOST_ROWS = 1 << 25


def named(source: str | Path | Sequence[str | Path]) -> list[Path]:
    """The files that a name, a pattern such as data*.csv, a folder, or a list of these means, each once.

    Raises:
        FileError: a pattern or a folder without files, or nothing named.
    """
    found: list[Path] = []
    for one in [source] if isinstance(source, str | Path) else source:
        path = Path(one)
        if path.is_dir():
            inside = sorted(each for each in path.iterdir() if each.suffix.lower() in SUFFIXES and each.is_file())
            if not inside:
                raise FileError(f"{path} is a folder; name a file in it, or a folder that holds CSV, Parquet or Excel")
            found += inside
        elif re.search(r"[*?\[]", path.name) and not path.exists():
            matching = sorted(Path(each) for each in glob(str(path)) if Path(each).is_file())
            if not matching:
                raise FileError(f"no file is called like {path}; check the pattern and the folder")
            found += matching
        else:
            found.append(path)
    if not found:
        raise FileError("no file is named; name one, or several of the same kind")
    return list(dict.fromkeys(found))


def paths_of(source: object) -> list[Path] | None:
    """The files that a path, a list of paths or a pyarrow dataset of files means; None for whatever is no such thing.

    Raises:
        FileError: as `named`.
    """
    files = getattr(source, "files", None)
    if isinstance(files, list) and hasattr(source, "to_batches"):
        return named(files)
    if isinstance(source, str | Path):
        return named(source)
    if isinstance(source, list | tuple) and source and all(isinstance(one, str | Path) for one in source):
        return named(source)
    return None


def name_of(path: Path) -> str:
    """How to call a file in messages."""
    return "standard input" if str(path) == "-" else path.name


def stem_of(path: Path) -> str:
    """The name of a file's only series: the file's own, without what says how it is packed."""
    if str(path) == "-":
        return "y"
    packed = path.suffix.lower() in (".gz", ".zst") and path.with_suffix("").suffix.lower() in SUFFIXES
    return path.with_suffix("").stem if packed else path.stem


def content(path: Path) -> bytes:
    """All bytes of a file, unpacked if it is gzip or Zstandard; - is standard input.

    Raises:
        FileError: no such file, not readable, damaged, or too large.
    """
    name = name_of(path)
    try:
        found = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    except FileNotFoundError:
        raise FileError(f"there is no file {path}; check the name, or name a bundled series: beijing, nyc") from None
    except OSError as error:
        raise FileError(f"{path} cannot be read ({error.strerror}); check its permissions") from None
    if found.startswith((b"\x1f\x8b", b"\x28\xb5\x2f\xfd")):
        found = _unpacked(found, name)
    if not found.strip():
        raise FileError(f"{name} is empty; give a file with a time column and a value column")
    return found


def _unpacked(packed: bytes, name: str) -> bytes:
    import pyarrow as pa

    kind = "gzip" if packed.startswith(b"\x1f\x8b") else "Zstandard"
    try:
        if kind == "gzip":
            # pyarrow stops behind the first member of a file that was added to.
            with gzip.open(io.BytesIO(packed)) as members:
                found = members.read(LARGEST + 1)
        else:
            with pa.CompressedInputStream(pa.BufferReader(packed), "zstd") as stream:
                found = bytes(stream.read(LARGEST + 1))
    except (OSError, EOFError, ValueError, zlib.error) as error:
        said = " ".join(str(error).split())[:100]
        raise FileError(f"{name} begins like a {kind} file but cannot be unpacked ({said}); pack it again") from None
    if len(found) > LARGEST:
        raise FileError(f"{name} unfolds to more than {LARGEST >> 30} GiB; split it, or give Parquet")
    check_rows(found.count(b"\n"), name)
    return found


def check_rows(count: int, name: str) -> None:
    """Raise FileError for more rows than can be read at once, before a small file has taken all memory."""
    if count > MOST_ROWS:
        raise FileError(f"{name} has {count:,} rows, and {MOST_ROWS:,} can be read at once; split it, by series say")


def text_of(content: bytes, name: str) -> str:
    """A file's text, whatever of UTF-8, UTF-16 with a mark and cp932 it is in; lines end in a plain line feed.

    Raises:
        FileError: an archive, no text, or in another encoding.
    """
    if content.startswith(b"PK\x03\x04"):
        raise FileError(
            f"{name} is an archive or an Excel workbook; unpack it, or save the sheet as CSV, and give that file"
        )
    if content.startswith(b"\xd0\xcf\x11\xe0"):
        raise FileError(f"{name} is an Excel workbook of the old kind; save it as .xlsx or CSV, and give that file")
    return _decoded(content, name).replace("\r\n", "\n").replace("\r", "\n")


def _decoded(content: bytes, name: str) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        # What Excel calls Unicode text.
        try:
            return content.decode("utf-16")
        except UnicodeDecodeError:
            raise FileError(f"{name} begins like UTF-16 text but cannot be read; save it as UTF-8") from None
    if b"\0" in content[:LOOKED_THROUGH]:
        raise FileError(f"{name} is not text (it holds NUL bytes); give CSV in UTF-8 or cp932, or Parquet")
    for encoding in ("utf-8-sig", "cp932"):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if not NO_LETTERS.search(text):
            return text
    raise FileError(f"{name} is neither UTF-8 nor cp932 (Shift_JIS) text; save it as UTF-8")
