"""Numbers as text, as Python's format(value, ".6g") writes them: six significant digits, halves to even.

A line of output has as many numbers as there are steps ahead, which take Python ten times as long as all else that it
does for a line. What a float32 is times a power of ten up to 10**12 a double holds exactly, and larger ones are counted
in sixteenths, so that every digit is the right one. The text is UTF-32: an int32 a letter.
"""

import numpy as np

from tsuzuki.kernels.language import doubles_at, floats_at, ints_at, kernel, procedure, shift, small_ints_at
from tsuzuki.kernels.last_write import write_at

# What stands where in the table: addresses of the numbers, float32 [rows, columns], of the text and of where each row
# ends in it; of 10**0 to 10**17 as float64 and as int64.
VALUES, ROWS, COLUMNS, TEXT, ENDS, TENS, WHOLE_TENS, FIELDS = range(8)
# The letters of the longest number and the comma behind it.
LONGEST = 14
LARGEST_TEN = 17
_DIGITS, _LIMIT = 6, 10**6
_ZERO, _POINT, _MINUS, _PLUS, _COMMA, _E = (ord(letter) for letter in "0.-+,e")


@kernel
def put(text, at, letter):
    """Write a letter; return where the next one stands."""
    text[at] = letter
    return at + 1


@kernel
def put_digits(text, at, number, count):
    """Write a whole number with `count` digits."""
    # Without a sign a division by ten is one multiplication.
    left, ten = np.uint64(number), np.uint64(10)
    for place in range(at + count - 1, at - 1, -1):
        tenth = left // ten
        text[place] = np.int32(_ZERO) + np.int32(left - tenth * ten)
        left = tenth
    return at + count


@kernel
def exponent_of(magnitude, tens):
    """The power of ten of a number's first digit, from 10**-7 on."""
    exponent = 0
    if magnitude >= 1.0:
        while exponent < LARGEST_TEN - 1 and magnitude >= tens[exponent + 1]:
            exponent += 1
    else:
        exponent = -1
        while magnitude * tens[-exponent] < 1.0:
            exponent -= 1
    return exponent


@kernel
def six_digits(magnitude, exponent, tens, whole_tens):
    """The first six digits as a whole number, rounded, halves to even; 10**6 where rounding carries over."""
    if exponent < _DIGITS:
        scaled = magnitude * tens[_DIGITS - 1 - exponent]
        digits = np.int64(scaled)
        rest, half = scaled - digits, 0.5
    else:
        # From 10**6 on a float32 is a whole number of sixteenths.
        unit = whole_tens[exponent - _DIGITS + 1] * 16
        sixteenths = np.int64(magnitude * 16.0)
        digits = sixteenths // unit
        rest, half = np.float64(sixteenths - digits * unit), unit * 0.5
    if rest > half or (rest == half and digits % 2 == 1):
        digits += 1
    return digits


@kernel
def without_zeros(digits, count):
    """Digits without the zeros at their end, and how many they are."""
    left, ten = np.uint64(digits), np.uint64(10)
    tenth = left // ten
    while tenth * ten == left:
        left, count = tenth, count - 1
        tenth = left // ten
    return np.int64(left), count


@kernel
def put_number(text, at, value, tens, whole_tens):
    """Write a number; return where the next letter stands, or -1 for one that is left to Python."""
    magnitude = abs(value)
    if value < 0.0 or (value == 0.0 and 1.0 / value < 0.0):
        at = put(text, at, _MINUS)
    if value == 0.0:
        return put(text, at, _ZERO)
    if not (magnitude >= 1e-7 and magnitude < 1e17):
        return -1
    exponent = exponent_of(magnitude, tens)
    digits, count = six_digits(magnitude, exponent, tens, whole_tens), _DIGITS
    if digits == _LIMIT:
        digits, exponent = _LIMIT // 10, exponent + 1
    digits, count = without_zeros(digits, count)
    if exponent < -4 or exponent >= _DIGITS:
        behind = whole_tens[count - 1]
        at = put_digits(text, at, digits // behind, 1)
        if count > 1:
            at = put_digits(text, put(text, at, _POINT), digits % behind, count - 1)
        at = put(text, put(text, at, _E), _MINUS if exponent < 0 else _PLUS)
        return put_digits(text, at, abs(exponent), 2)
    if exponent < 0:
        at = put(text, put(text, at, _ZERO), _POINT)
        return put_digits(text, at, digits, count - 1 - exponent)
    if count <= exponent + 1:
        return put_digits(text, at, digits * whole_tens[exponent + 1 - count], exponent + 1)
    behind = whole_tens[count - exponent - 1]
    at = put_digits(text, at, digits // behind, exponent + 1)
    return put_digits(text, put(text, at, _POINT), digits % behind, count - exponent - 1)


@kernel
def put_row(text, at, values, columns, tens, whole_tens):
    """Write a row, commas in between; return where the next letter stands, or -1 where Python has to write it."""
    for column in range(columns):
        if column > 0:
            at = put(text, at, _COMMA)
        at = put_number(text, at, np.float64(values[column]), tens, whole_tens)
        if at < 0:
            return at
    return at


@procedure("t")
def write(table):
    """Write rows of numbers, one behind the other; a row that Python has to write ends at -1 and takes no room."""
    text, ends = small_ints_at(table[TEXT]), ints_at(table[ENDS])
    values, columns = floats_at(table[VALUES]), table[COLUMNS]
    tens, whole_tens = doubles_at(table[TENS]), ints_at(table[WHOLE_TENS])
    at = 0
    for row in range(table[ROWS]):
        end = put_row(text, at, shift(values, row * columns), columns, tens, whole_tens)
        write_at(ends, row, end)
        if end >= 0:
            at = end
