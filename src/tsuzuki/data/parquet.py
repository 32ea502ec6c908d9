"""Parquet and Excel files as tables."""

import io
import zipfile
from typing import TYPE_CHECKING, Any

from tsuzuki.data.delimited import Table, unique
from tsuzuki.data.files import MOST_ROWS, check_rows
from tsuzuki.errors import DataError, FileError, MissingExtraError

if TYPE_CHECKING:
    import pandas as pd

# Bytes of an Excel workbook's sheets; a full one, of a million rows and a few columns, has fewer.
LARGEST = 1 << 30


def is_parquet(content: bytes) -> bool:
    """Whether a file's bytes begin like Parquet."""
    return content.startswith(b"PAR1")


def parse(content: bytes, name: str) -> Table:
    """Read a Parquet file; an index that is not a plain count is a column.

    Raises:
        FileError: it is damaged, or holds more rows than can be read at once, which its own record tells.
    """
    import pandas as pd
    import pyarrow.parquet

    try:
        rows = pyarrow.parquet.read_metadata(io.BytesIO(content)).num_rows
        if rows <= MOST_ROWS:
            frame = pd.read_parquet(io.BytesIO(content))
    except Exception as error:
        said = " ".join(str(error).split())[:160]
        raise FileError(f"{name} begins like Parquet but cannot be read ({said}); write it again") from None
    check_rows(rows, name)
    if not isinstance(frame.index, pd.RangeIndex):
        frame = frame.reset_index()
    return _table(frame, name, 1)


def is_workbook(content: bytes) -> bool:
    """Whether a file's bytes are an Excel workbook of the kind written since 2007."""
    if not content.startswith(b"PK\x03\x04"):
        return False
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return "xl/workbook.xml" in archive.namelist()
    except (zipfile.BadZipFile, ValueError, OSError):
        return False


def parse_workbook(content: bytes, name: str) -> Table:
    """Read the first sheet of an Excel workbook, its first row the header.

    Raises:
        MissingExtraError: openpyxl is not installed.
        FileError: the workbook is damaged, or unfolds to more than can be read at once.
        DataError: an empty sheet.
    """
    from importlib.util import find_spec

    import pandas as pd

    if find_spec("openpyxl") is None:
        raise MissingExtraError(
            f"{name} is an Excel workbook, which needs the package openpyxl; install it with: "
            'pip install "tsuzuki[excel]", or save the sheet as CSV'
        )
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if sum(each.file_size for each in archive.infolist()) > LARGEST:
            raise FileError(f"{name} unfolds to more than {LARGEST >> 30} GiB; save its sheet as CSV, in pieces")
    try:
        # The cells as they are, whatever stands in the first row.
        sheet = pd.read_excel(io.BytesIO(content), header=None, engine="openpyxl", keep_default_na=False)
    except Exception as error:
        said = " ".join(str(error).split())[:160]
        raise FileError(f"{name} is an Excel workbook that cannot be read ({said}); save it again") from None
    if len(sheet) == 0:
        raise DataError(f"the first sheet of {name} is empty; put the readings there, the header first")
    frame = sheet.iloc[1:].reset_index(drop=True)
    frame.columns = pd.Index([_label(label) for label in sheet.iloc[0]])
    # A column of Excel has no type; each of its cells does.
    return _table(frame.replace("", None).infer_objects(), name, 2)


def _label(label: Any) -> str:
    return "" if label is None else str(label)


def _table(frame: "pd.DataFrame", name: str, first: int) -> Table:
    labels = unique([str(label) for label in frame.columns])
    frame.columns = labels
    return Table(name, frame, tuple(labels), lambda position: f"row {position + first}")
