"""One reading of one series as a function that Python calls without ctypes in between: a float in, True or False out.

It is what a C extension would be: the interpreter hands over its objects (`METH_FASTCALL` in Python's C API), and where
they hold what is told in `streaming/quick_reading.py`, the reading is taken up and the network moves on by a row.
"""

from tsuzuki.kernels.driver import run
from tsuzuki.kernels.language import doubles_at, ints_at, kernel, procedure
from tsuzuki.kernels.last_write import write_at

# What stands where in the table: the row that was run last, and the one behind which Python has to see to more; series,
# and the place of this one; addresses of the row's number, of the reading and of the job; the interpreter's True, False
# and float, and NumPy's float64, which has its value at the same place; whether True and False count who holds them.
AT, LAST, SERIES, NUMBER, START, READING, JOB, TRUE, FALSE, FLOAT, FLOAT64, COUNTED, FIELDS = range(13)
# Larger readings are looked at by Python: they may be too far away.
LARGE = 1e9
# In words of eight bytes: where an object names its kind, where a float has its value, an array of NumPy its memory.
KIND, VALUE, MEMORY = 1, 2, 2


@kernel
def take_up(table, value):
    """Whether a reading was taken up: it is usual, and nothing but its row is due."""
    at = table[AT] + 1
    if not (value > -LARGE and value < LARGE and table[AT] < table[LAST]):
        return False
    write_at(table, AT, at)
    write_at(ints_at(table[START]), 0, at * table[SERIES] + table[NUMBER])
    write_at(doubles_at(table[READING]), 0, value)
    run(table[JOB], 0)
    return True


@procedure("iii", "i")
def take(itself, arguments, count):
    """True where the one argument, a float, was taken up; `itself` is the array that holds the table."""
    table = ints_at(ints_at(itself)[MEMORY])
    found = table[FALSE]
    if count == 1:
        given = ints_at(arguments)[0]
        kind = ints_at(given)[KIND]
        if (kind == table[FLOAT] or kind == table[FLOAT64]) and take_up(table, doubles_at(given)[VALUE]):
            found = table[TRUE]
    if table[COUNTED] != 0:
        write_at(ints_at(found), 0, ints_at(found)[0] + 1)
    return found
