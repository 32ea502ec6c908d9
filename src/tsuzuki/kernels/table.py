"""The table of integers that describes a job to the compiled kernels: a header, then a row for each layer.

Python writes the table, the kernels read it. Every size, offset, address and choice stands here, so none of them is
compiled in. Offsets count floats.
"""

from tsuzuki.kernels.host import WIDTH

# A panel of a packed matrix is two vectors wide, and a block of its depth fits the second-level cache (see `matrix`),
# from which tiles run nearly as fast as from the first; shorter blocks fetch and write the results more often.
PANEL = 2 * WIDTH
DEPTH_BLOCK = 1024
# How a tile goes through the depth, if not as it is fastest for a small product (see `register_tile`).
IN_ORDER, DEEP = 1, 2
# Rows of a transposed left side that are copied together, whole tiles: of a second-level cache's size with all depth.
ROWS_TOGETHER = 360
# Rows up to this many floats are read where they lie; longer ones are packed (see `matrix`).
SHORT_ROW = 4 * WIDTH

LINEAR, TANH, SIGMOID, HARD_SIGMOID, RELU, SOFTMAX, LOG_SOFTMAX = range(7)
MSE, MAE, HUBER, PINBALL, GAUSSIAN, CATEGORICAL, SPARSE, BINARY = range(8)
MAPE, MSLE, LOG_COSH, POISSON, HINGE, SQUARED_HINGE, KL_DIVERGENCE, CATEGORICAL_HINGE, COSINE_SIMILARITY = range(8, 17)
GIVEN_SLOPES, LOG_COUNTS = 17, 18
SGD, RMSPROP, ADAM, ADAGRAD, ADADELTA, ADAMAX, NADAM, LION, FTRL = range(9)
# A number from here on is the address of a rare activation's record: its two procedures, its number, its settings.
RARE = 1 << 16
RARE_ACTIVATE, RARE_SLOPE, RARE_NUMBER, RARE_SETTINGS, RARE_RECORD = 0, 1, 2, 3, 6
NO_CLIP, CLIP_VALUE, CLIP_NORM, CLIP_GLOBAL_NORM = range(4)
# Places in the optimiser's settings; the first three mean what the optimiser says.
FLAG, CLIP_LIMIT, AVERAGE_MOMENTUM, AVERAGE_EVERY = 3, 4, 5, 6
# The slot that holds the parameters' moving average.
AVERAGE_SLOT = 3

# fmt: off
(
    # the data: addresses, the rows from one step of a series to its next, and how a target is found from a row's start
    # and its step
    INPUTS, FEATURES, SPACING, TARGETS, TARGET_STRIDE, RESIDUAL, SAMPLE_WEIGHTS, WEIGHT_STRIDE,
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
    STARTS, VALID, ENTRIES, EXITS, UPDATES, LANES, TIMESTEPS,
    # blocks of lanes, each with its own work space, gradients and loss; how many gradients are summed: one of each
    # block for every time that the most used weights are
    BLOCKS, BLOCK_LANES, WORK, WORK_SIZE, GRADIENTS, GRADIENT_PARTS, BLOCK_LOSSES,
    # the parameters: address, floats, slots of the optimiser, packed copies, and the table of single variables
    PARAMETERS, SIZE, SLOTS, PACKED, VARIABLES, VARIABLE_COUNT, SOME_SQUARES,
    # states saved and taken up again
    BANK, STATE_SIZE,
    # whether some layer's states are zero at the start of every row, whatever the row carries
    SOME_FORGET,
    # train or only run forward, and which part of an update that somebody else scores; where the objectives stand in
    # the table and how many there are, a place for each thread's counts of them, and the addresses of what comes out,
    # [updates, objectives] each
    TRAIN, PART, OBJECTIVES, OBJECTIVE_COUNT, COUNTS, LOSSES, SCORED,
    # forecasts stand at their target's position, or at their row's number [updates, lanes]; the address of (mean,
    # deviation) pairs, float64, where they are wanted, and readings come, in the unit of the series whose state the row
    # saves
    FORECASTS, FORECAST_STRIDE, BY_LANE, SCALES,
    # the optimiser: its kind and settings, a rate and a decay for each update, and two rates more where it needs them,
    # how gradients are clipped; addresses of a rarer optimiser and of what follows the update (0: none)
    OPTIMIZER, OPTIMIZER_SETTINGS, RATES, DECAYS, MORE_RATES, CLIP, OPTIMISE, AVERAGE,
    # rules for single variables (0: none), the penalty of each update, and addresses of what writes it, what adds to
    # the gradients and what bounds the weights
    RULES, PENALTIES, PENALISE, SHAPE_GRADIENTS, CONSTRAIN,
    # dropout's counters; threads and the place where they meet; how many layers' statistics they meet for on the way
    SEED, FIRST_UPDATE, THREADS, BARRIER, MEETINGS,
    # whether some layer adds to the loss
    SOME_PENALISE,
    # whether a thread takes some layer through all of its blocks together
    TOGETHER,
    # tables of which only the rows named in an update are looked at: the address of their records, and their number
    TOUCHED, TOUCHED_COUNT,
    # the network, and what all layers share in a block's work space
    LAYERS, SCRATCH, ZEROS, X_GATHERED,
    HEADER,
) = range(77)

(
    # addresses of the layer kind's two procedures
    FORWARD, BACKWARD,
    INPUT_SIZE, INPUT_STRIDE, UNITS, WIDE, GATES, ACTIVATION, RECURRENT_ACTIVATION,
    # steps of the input that it goes through, steps that the next layer or the loss sees, and whether these are all
    INPUT_STEPS, STEPS, RETURNS_ALL, SCORED_OFFSET,
    # offsets into the parameters, -1 where absent
    KERNEL, RECURRENT_KERNEL, BIAS,
    # offsets into the packed copies, -1 where absent; _T is transposed
    PACKED_RECURRENT, PACKED_RECURRENT_T, PACKED_KERNEL_T,
    # offsets into a block's work space: the input (skipping X_SKIP steps), the gates, what goes into
    # the activation and the recurrent one (-1: not kept), the output (a recurrent layer's
    # begins with the state before the first step), gradients of output, input (-1: not wanted) and carried state
    X, X_SKIP, Z, ACTIVATED, RECURRENT_ACTIVATED, OUT, D_OUT, D_X, D_CARRIED,
    # how many arrays a lane carries from step to step, and a pair for each: the offsets in a lane's saved state and in
    # the work space, where [1 + steps, lanes, wide] begin with the state before the first step
    STATES, STATE, STATE_OUT, SECOND_STATE, SECOND_STATE_OUT,
    # how many of these are zero at the start of every row, whatever the row carries
    FORGETS,
    # gradients of the states after the last step, where others read these (-1: none); the states that the layer begins
    # with are its links
    D_FINAL, SECOND_D_FINAL,
    # dropout: shares times 2^32, masks and masked copies, and the layer's number in the hash
    DROPOUT, RECURRENT_DROPOUT, MASK, MASKED_X, RECURRENT_MASK, MASKED_STATE, DROP_LAYER,
    # masks [steps, lanes] of the steps that count, of the output and of the input, each with steps to skip there (-1:
    # all count), and where a cell sets gradients aside that go past masked steps
    STEP_MASK, STEP_MASK_SKIP, X_STEP_MASK, X_STEP_MASK_SKIP, HELD,
    # where the table lists several inputs of the layer, or several readers of its output, and how many there are
    LINKS, LINK_COUNT,
    # whether the layer looks at all blocks of an update in training (1, else -1), and the addresses of what it does
    # for that: a block's share before the threads meet, on the way forward and back, and what follows the update
    MEETS, SHARE_FORWARD, SHARE_BACKWARD, SETTLE,
    # where the layer leaves a block's share of what it adds to the loss (-1: nothing)
    PENALTY,
    # how many layers before it have the same weights: its gradients have a place of their own
    PLACE_OF_WEIGHTS,
    # parts of a lane that the layer takes for lanes (see `TimeDistributed`)
    PARTS,
    # addresses of the procedures that go through all blocks of a thread together (0: block by block; 1 in a plan: the
    # layer's kind has them)
    FORWARD_TOGETHER, BACKWARD_TOGETHER,
    # fields whose meaning only the layer's kind knows
    OWN_1, OWN_2, OWN_3, OWN_4, OWN_5, OWN_6, OWN_7, OWN_8,
    ROW,
) = range(68)

# An objective: what the outputs of one end of the network are scored by.
(
    # address of the loss's procedure, the loss, the address of its settings, and outputs that belong to one target
    SCORE, LOSS, LOSS_SETTINGS, HEADS,
    # its columns among the targets, the forecasts and the sample weights, and how many of the first; whether some are
    # missing; a class that is not scored where IGNORES is 1; whether all targets of a row count as one value
    FIRST_TARGET, HORIZON, FIRST_FORECAST, WEIGHT_COLUMN, MASKED_TARGETS, IGNORES, IGNORED, COUNTED_WHOLE,
    # address of a factor for each output (0: none), and of one for the whole, float64
    OUTPUT_WEIGHTS, SHARE,
    # the end: offsets of outputs and of their gradient in a block's work space, steps of the outputs to skip, steps,
    # and values of a lane; whether each step is scored
    END_OUT, END_D_OUT, END_SKIP, END_STEPS, END_UNITS, END_WIDE, EVERY_STEP,
    # the activation that the layer leaves to the loss, which is computed from what goes into it
    LEFT_ACTIVATION,
    OBJECTIVE,
) = range(23)

# An entry of such a list: offset of the input, steps of it to skip, its stride and size, and the offset of its gradient
# (-1: not wanted); a reader's has the gradient that it gives and its steps; and the mask of the input's steps.
LINK_X, LINK_SKIP, LINK_STRIDE, LINK_SIZE, LINK_D_X, LINK_STEPS, LINK_STEP_MASK, LINK_STEP_MASK_SKIP, LINK = range(9)

# A row of the table of variables; SQUARES_APART is how far behind the gradient the sums of its squares lie (0: none).
VARIABLE_OFFSET, VARIABLE_SIZE, DECAYED, FROZEN, VARIABLE_ROWS, CONSTRAINT, SQUARES_APART, VARIABLE = range(8)
# A table of which only some rows are looked at: where it begins and ends in the gradients, floats of a row, and where
# the flags of its rows are.
TABLE_BEGIN, TABLE_END, TABLE_WIDE, TABLE_FLAGS, TOUCHED_TABLE = range(5)
# Parts of an update: all of it, up to the outputs, from the slopes on.
WHOLE_UPDATE, UP_TO_OUTPUTS, FROM_SLOPES = range(3)
# What bounds it: nothing, no negative weight, the norm of each column, the norm of all together.
NO_CONSTRAINT, NON_NEGATIVE, COLUMN_NORMS, WHOLE_NORM = range(4)
# Its entry in the table of rules, float64.
RULE_L1, RULE_L2, RULE_SMALLEST, RULE_LARGEST, RULE_RATE, RULE = range(6)
# fmt: on
