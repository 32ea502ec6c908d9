"""A committee's part of one reading: what its networks read of the last values, and the forecast from what they say.

What Python did in fifteen calls, each longer than its arithmetic. The same operations in the same order, so that one
series alone has the bits of many at once. `READING` says what stands where in the table.
"""

import math

import numpy as np

from tsuzuki.kernels.language import doubles_at, floats_at, ints_at, kernel, procedure, shift
from tsuzuki.kernels.matrix import product

f32, f64 = np.float32, np.float64

# fmt: off
(
    # addresses of the values, float32 [rows, series], and of the networks' rows, float32 [rows, series, columns]; how
    # many series and columns; which series it is; the row, how far the values' rows are ahead, whether its value is
    # missing
    VALUES, ROWS, SERIES, COLUMNS, NUMBER, AT, AHEAD, MISSING,
    # values of a window, and where it is put less its last value
    SIZE, APART,
    # two matrices by the addresses of their floats, zeros, a block and sums, and their columns with padding
    INPUTS, INPUT_ZEROS, INPUT_BLOCK, INPUT_SUMS, INPUT_WIDE,
    MEMBERS, MEMBER_ZEROS, MEMBER_BLOCK, MEMBER_SUMS, MEMBER_WIDE,
    # inputs that are read as they are, and all that follow from a window; the address of what those behind are
    # multiplied by; constants behind them
    PLAIN, MAPPED, PER_UNIT, CONSTANTS, CONSTANT_COUNT,
    # the addresses of what networks say, how many they are, steps ahead
    SAID, NETWORKS, HORIZON,
    # addresses: the unit of changes, the networks' weights, the last value's, [horizon] each
    UNIT, NETWORK_WEIGHTS, LAST_WEIGHTS,
    # address of what the profile adds at this place in the season, [horizon]; 0 where there is none
    PROFILE,
    # the state of the series, and where in it stands what
    STATE, OFFSET, COUNT, WIDTH, LOWEST, HIGHEST, LOSSES,
    # recent errors: leads (0: none are followed), slots, naive forecasts; addresses of the leads, of where in a window
    # each naive forecast of a lead and of a horizon stands; of usual errors and both ends; of the settings
    LEADS, SLOTS, NAIVE, LEAD, PLACES, NAIVE_MAPS, USUAL, LOW, HIGH, FOLLOWING,
    # addresses: mean and deviation, float64; the forecasts, float64, float32, and within bounds, [horizon] each
    SCALE, FINISHED, LATEST, BOUNDED,
    READING,
) = range(54)
# Settings of following, float64.
WIDER, NARROWER, NARROWEST, WIDEST, FORGOTTEN, CLEARLY, STEEP, SETTINGS = range(8)
# fmt: on


@kernel
def take_apart(size, spacing, window, apart):
    """A window less its last value."""
    last = window[(size - 1) * spacing]
    for k in range(size):
        apart[k] = window[k * spacing] - last


@kernel
def write_row(row, last, missing, mapped, plain, count, per_unit, constants, constant_count):
    """What networks read of a window."""
    row[0] = last
    row[1] = f32(missing)
    for k in range(plain):
        row[2 + k] = mapped[k]
    for k in range(plain, count):
        value = mapped[k] * per_unit
        row[2 + k] = f32(value / f32(math.sqrt(f32(1) + abs(value))))
    for k in range(constant_count):
        row[2 + count + k] = constants[k]


@kernel
def kept_at(step, count, turn, lead):
    """Where in a state stands what was forecast for the reading with this count."""
    leads = step[LEADS]
    slot = (count - lead) // leads % step[SLOTS]
    return step[LOSSES] + 1 + step[NAIVE] + 2 * (slot * leads + turn)


@kernel
def follow(step, state, window, spacing, settings):
    """Look at what was forecast for the last value of a window."""
    leads = step[LEADS]
    count = (int(state[step[COUNT]]) + 1) % (leads * step[SLOTS])
    state[step[COUNT]] = f32(count)
    turn = count % leads
    kept = kept_at(step, count, turn, ints_at(step[LEAD])[turn])
    own, final = f64(state[kept]), f64(state[kept + 1])
    if step[MISSING] != 0 or own != own:
        return
    one = step[NUMBER] * leads + turn
    usual = doubles_at(step[USUAL])[one]
    value, width = f64(window[(step[SIZE] - 1) * spacing]), f64(state[step[WIDTH]])
    error = value - final
    missed = error < doubles_at(step[LOW])[one] * width or error > doubles_at(step[HIGH])[one] * width
    width = width * (settings[WIDER] if missed else settings[NARROWER])
    state[step[WIDTH]] = f32(min(max(width, settings[NARROWEST]), settings[WIDEST]))
    at = step[LOSSES]
    loss = f64(state[at])
    state[at] = f32(loss + settings[FORGOTTEN] * (abs(value - own) / usual - loss))
    places = ints_at(step[PLACES])
    for naive in range(step[NAIVE]):
        at += 1
        loss, said = f64(state[at]), f64(window[places[naive * leads + turn] * spacing])
        state[at] = f32(loss + settings[FORGOTTEN] * (abs(value - said) / usual - loss))


@kernel
def mix(step, state, window, spacing, settings, forecast, mixed):
    """The committee's forecast, or as far as that has erred the best naive one; both kept where it is their turn."""
    horizon, leads, first = step[HORIZON], step[LEADS], step[LOSSES]
    own, least, best = f64(state[first]), f64(state[first + 1]), 0
    for naive in range(1, step[NAIVE]):
        if f64(state[first + 1 + naive]) < least:
            least, best = f64(state[first + 1 + naive]), naive
    share = f32(0)
    if own > settings[CLEARLY] * least:
        share = f32(min((own / least - settings[CLEARLY]) * settings[STEEP] if least > 0 else 1.0, 1.0))
    places = ints_at(step[NAIVE_MAPS])
    for k in range(horizon):
        mixed[k] = forecast[k]
        if own > settings[CLEARLY] * least:
            mixed[k] = forecast[k] + share * (window[places[best * horizon + k] * spacing] - forecast[k])
    count = int(state[step[COUNT]])
    if count % leads == 0:
        lead = ints_at(step[LEAD])
        kept = first + 1 + step[NAIVE] + 2 * (count // leads % step[SLOTS]) * leads
        for turn in range(leads):
            state[kept + 2 * turn] = forecast[lead[turn] - 1]
            state[kept + 2 * turn + 1] = mixed[lead[turn] - 1]


@kernel
def combine(step, last, sums, said, unit, network_weights, last_weights):
    """The forecast, in place of the sums of all that is linear in a window."""
    networks = f32(step[NETWORKS])
    for k in range(step[HORIZON]):
        total = floats_at(said[0])[k]
        for network in range(1, step[NETWORKS]):
            total = total + floats_at(said[network])[k]
        if step[NETWORKS] > 1:
            total = total / networks
        sums[k] = (total * unit * network_weights[k] + last * last_weights[k]) + sums[k]


@kernel
def put_on(horizon, forecast, profile):
    """The forecast with what follows from its place in the season."""
    for k in range(horizon):
        forecast[k] = forecast[k] + profile[k]


@kernel
def finish(step, state, forecast, scale, finished, latest, bounded):
    """Forecasts in the unit of their series."""
    mean, deviation = scale[0], scale[1]
    offset = f64(state[step[OFFSET]])
    if offset != 0:
        mean = mean + offset * deviation
    low, high = state[step[LOWEST]], state[step[HIGHEST]]
    for k in range(step[HORIZON]):
        finished[k] = f64(forecast[k]) * deviation + mean
        latest[k] = f32(finished[k])
        within = latest[k]
        if within < low:
            within = low
        if within > high:
            within = high
        bounded[k] = within


@procedure("t")
def read(step):
    """Follow recent errors, and write the row that the networks read."""
    spacing, size, number = step[SERIES], step[SIZE], step[NUMBER]
    window = shift(floats_at(step[VALUES]), (step[AT] + step[AHEAD] + 1 - size) * spacing + number)
    row = shift(floats_at(step[ROWS]), (step[AT] * spacing + number) * step[COLUMNS])
    apart, sums, wide = floats_at(step[APART]), floats_at(step[INPUT_SUMS]), step[INPUT_WIDE]
    if step[LEADS] != 0:
        follow(step, floats_at(step[STATE]), window, spacing, doubles_at(step[FOLLOWING]))
    take_apart(size, spacing, window, apart)
    zeros, block = floats_at(step[INPUT_ZEROS]), floats_at(step[INPUT_BLOCK])
    product(1, 1, wide, size, apart, size, 1, floats_at(step[INPUTS]), wide, zeros, 0, sums, wide, block)
    last, per_unit = window[(size - 1) * spacing], floats_at(step[PER_UNIT])[0]
    constants, count = floats_at(step[CONSTANTS]), step[CONSTANT_COUNT]
    write_row(row, last, step[MISSING], sums, step[PLAIN], step[MAPPED], per_unit, constants, count)


@procedure("t")
def forecast(step):
    """The forecast from the window that `read` took apart and what the networks have said since."""
    spacing, size = step[SERIES], step[SIZE]
    window = shift(floats_at(step[VALUES]), (step[AT] + step[AHEAD] + 1 - size) * spacing + step[NUMBER])
    apart, sums, wide = floats_at(step[APART]), floats_at(step[MEMBER_SUMS]), step[MEMBER_WIDE]
    state, mixed = floats_at(step[STATE]), floats_at(step[LATEST])
    zeros, block = floats_at(step[MEMBER_ZEROS]), floats_at(step[MEMBER_BLOCK])
    product(1, 1, wide, size, apart, size, 1, floats_at(step[MEMBERS]), wide, zeros, 0, sums, wide, block)
    unit, network_weights = floats_at(step[UNIT])[0], floats_at(step[NETWORK_WEIGHTS])
    last = window[(size - 1) * spacing]
    combine(step, last, sums, ints_at(step[SAID]), unit, network_weights, floats_at(step[LAST_WEIGHTS]))
    if step[PROFILE] != 0:
        put_on(step[HORIZON], sums, floats_at(step[PROFILE]))
    final = sums
    if step[LEADS] != 0:
        mix(step, state, window, spacing, doubles_at(step[FOLLOWING]), sums, mixed)
        final = mixed
    scale, finished = doubles_at(step[SCALE]), doubles_at(step[FINISHED])
    finish(step, state, final, scale, finished, floats_at(step[LATEST]), floats_at(step[BOUNDED]))
