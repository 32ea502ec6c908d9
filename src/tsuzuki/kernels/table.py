"""The table of integers that describes a job to the compiled kernels: a header, then a row for each layer.

Python writes the table, the kernels read it. Every size, offset, address and choice stands here, so none of them is
compiled in. Offsets count floats.
"""

from tsuzuki.kernels.host import WIDTH

# A panel of a packed matrix is two vectors wide, and a block of its depth fits the first-level cache (see `matrix`).
PANEL = 2 * WIDTH
DEPTH_BLOCK = 256
# Rows up to this many floats are read where they lie; longer ones are packed (see `matrix`).
SHORT_ROW = 4 * WIDTH

LINEAR, TANH, SIGMOID, HARD_SIGMOID, RELU = range(5)
DENSE, SIMPLE_RNN, GRU_AFTER, GRU_BEFORE, LSTM_CELL, ELEMENTWISE = range(6)
MSE, MAE, HUBER, PINBALL, GAUSSIAN = range(5)
SGD, RMSPROP, ADAM = range(3)
NO_CLIP, CLIP_VALUE, CLIP_NORM, CLIP_GLOBAL_NORM = range(4)
# Places in the optimiser's settings; the first three mean what the optimiser says.
FLAG, CLIP_LIMIT = 3, 4

# fmt: off
(
    # the data: addresses, the rows from one step of a series to its next, and how a target is found from a row's start
    # and its step
    INPUTS, FEATURES, SPACING, TARGETS, TARGET_STRIDE, HORIZON, RESIDUAL, MASKED_TARGETS, SAMPLE_WEIGHTS,
    # differences to earlier values that are inputs too: address of (behind, over) pairs and their number
    LAGS, LAG_COUNT,
    # the output that stands in for a missing first input (-1: none is missing), and the offsets of each lane's last one
    # in the work space and in a saved state
    IMPUTE_FROM, LAST_FORECAST, LAST_FORECAST_STATE,
    # address of new readings, float64 [updates, lanes], that the rows have yet to take up (0: they hold all)
    READINGS,
    # whether the packed copies are up to date already
    FRESH,
    # the rows: addresses of starts, valid, entries and exits, [updates, lanes] each
    STARTS, VALID, ENTRIES, EXITS, UPDATES, LANES, TIMESTEPS, EVERY_STEP,
    # blocks of lanes, each with its own work space, gradients and loss
    BLOCKS, BLOCK_LANES, WORK, WORK_SIZE, GRADIENTS, BLOCK_LOSSES,
    # the parameters: address, floats, slots of the optimiser, packed copies, and the table of single variables
    PARAMETERS, SIZE, SLOTS, PACKED, VARIABLES, VARIABLE_COUNT,
    # states saved and taken up again
    BANK, STATE_SIZE,
    # train or only run forward; the loss, and the addresses of what comes out
    TRAIN, LOSS, LOSS_SETTINGS, HEADS, OUTPUT_WEIGHTS, LOSSES, SCORED,
    # forecasts stand at their target's position, or at their row's number [updates, lanes]; the address of (mean,
    # deviation) pairs, float64, where they are wanted, and readings come, in the unit of the series whose state the row
    # saves
    FORECASTS, BY_LANE, SCALES,
    # the optimiser: its kind and settings, a rate and a decay for each update, how gradients are clipped
    OPTIMIZER, OPTIMIZER_SETTINGS, RATES, DECAYS, CLIP,
    # dropout's counters; threads and the place where they meet
    SEED, FIRST_UPDATE, THREADS, BARRIER,
    # the network, and what all layers share in a block's work space
    LAYERS, SCRATCH, ONES, ZEROS, X_GATHERED,
    HEADER,
) = range(63)

(
    KIND, INPUT_SIZE, INPUT_STRIDE, UNITS, WIDE, GATES, ACTIVATION, RECURRENT_ACTIVATION,
    # steps that the next layer or the loss sees, and whether these are all of them
    STEPS, RETURNS_ALL, SCORED_OFFSET,
    # offsets into the parameters, -1 where absent
    KERNEL, RECURRENT_KERNEL, BIAS, RECURRENT_BIAS,
    # offsets into the packed copies, -1 where absent; _T is transposed
    PACKED_RECURRENT, PACKED_RECURRENT_T, PACKED_KERNEL_T,
    # offsets into a block's work space: the input (skipping X_SKIP steps), the gates, the output (a recurrent layer's
    # begins with the state before the first step), gradients of output, input (-1: not wanted), cell and carried state
    X, X_SKIP, Z, OUT, CELL, EXTRA, D_OUT, D_X, D_CELL, D_CARRIED,
    # offsets into a lane's saved state, -1 where absent
    STATE, CELL_STATE,
    # dropout: shares times 2^32, masks and masked copies, and the layer's number in the hash
    DROPOUT, RECURRENT_DROPOUT, MASK, MASKED_X, RECURRENT_MASK, MASKED_STATE, DROP_LAYER,
    ROW,
) = range(38)

# A row of the table of variables.
VARIABLE_OFFSET, VARIABLE_SIZE, DECAYED, VARIABLE = range(4)
# fmt: on
