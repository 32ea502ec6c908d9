"""Faults that no test noticed once: where they stood, and what each was.

`python tools/mutate.py --known` plants them again.
"""

_OPTIONS = "network, optimizer, loss, horizon, residual, lags, impute_from, early_stopping, reduce_on_plateau"
# These make inputs or outputs of another size, which is refused by itself.
_SIZES = ("horizon", "lags")
_DATA = "inputs, targets, validation_targets, sample_weights, output_weights, "
# A module, what stands there, and what is planted in its place.
KNOWN = (
    # Held-out values as training targets of the rows before, and rows of the other kind in validation.
    (
        "forecasting/member_training.py",
        "known = targets_known(job, here), targets_known(job, ~here)",
        "known = targets_known(job, here & False), targets_known(job, ~here)",
    ),
    (
        "forecasting/member_training.py",
        "known = targets_known(job, here), targets_known(job, ~here)",
        "known = targets_known(job, here), targets_known(job, here & False)",
    ),
    # Held-out rows one early, one late, one too many.
    (
        "forecasting/held_out.py",
        "(places >= first[number] - 1) & (places < last[number] - 1)]]",
        "(places >= first[number] - 2) & (places < last[number] - 2)]]",
    ),
    (
        "forecasting/held_out.py",
        "(places >= first[number] - 1) & (places < last[number] - 1)]]",
        "(places >= first[number]) & (places < last[number])]]",
    ),
    (
        "forecasting/held_out.py",
        "here = (places >= stretch.first[number] - 1) & (places < last - 1)",
        "here = (places >= stretch.first[number]) & (places < last)",
    ),
    (
        "forecasting/held_out.py",
        "here = (places >= stretch.first[number] - 1) & (places < last - 1)",
        "here = (places >= stretch.first[number] - 1) & (places < last)",
    ),
    # MASE's scale over all values, and with season 1.
    ("forecasting/backtest.py", "one.values[:cut], fitted.step)", "one.values, fitted.step)"),
    ("forecasting/backtest.py", "season = next(iter(seasons(step, len(values))), 1)", "season = 1"),
    # No interpolation between percentiles.
    ("forecasting/conformal_intervals.py", "share = np.float32(place - low)", "share = np.float32(0)"),
    # A gap of exactly `max_gap`, in series and in streams.
    ("data/segments.py", "ends = (gaps > max_gap)", "ends = (gaps >= max_gap)"),
    ("data/segments.py", "np.diff(known) - 1 > max_gap)", "np.diff(known) - 1 >= max_gap)"),
    ("data/segments.py", "starts[0] <= max_gap", "starts[0] < max_gap"),
    ("streaming/bank.py", "missing > self.settings.max_gap)", "missing >= self.settings.max_gap)"),
    ("streaming/cursor.py", "self._missed > self._settings.max_gap", "self._missed >= self._settings.max_gap"),
    ("streaming/cursor.py", "if missed > self._settings.max_gap:", "if missed >= self._settings.max_gap:"),
    ("streaming/online_learning.py", "self.missed > self.bank.", "self.missed >= self.bank."),
    # The threshold of a day that is no month.
    ("data/timestamps.py", "(rows[:, 1] > 12)", "(rows[:, 1] >= 12)"),
    ("data/timestamps.py", "(rows[:, 2] > 12)", "(rows[:, 2] >= 12)"),
    # Letters that cp932 has and shift_jis lacks.
    ("data/files.py", '("utf-8-sig", "cp932")', '("utf-8-sig", "shift_jis")'),
    # `min_delta`, and equal losses.
    ("training/early_stopping.py", "(self.stopping.min_delta if self.stopping else 0.0)", "0.0"),
    ("training/early_stopping.py", "self.plateau_best - self.plateau.min_delta", "self.plateau_best"),
    ("training/early_stopping.py", "improved = watched < self.best", "improved = watched <= self.best"),
    ("training/early_stopping.py", "if watched < self.plateau_best", "if watched <= self.plateau_best"),
    # States of finished segments in a checkpoint.
    ("engine/compiled_network.py", 'self.saved_states.padded[:] = arrays["bank"]', "pass"),
    # The line number outside the transaction, behind it and before.
    (
        "streaming/state_store.py",
        'self._write_facts(line)\n            self._base.execute("COMMIT")\n        except',
        'self._base.execute("COMMIT")\n            self._write_facts(line)\n        except',
    ),
    (
        "streaming/state_store.py",
        'self._base.execute("BEGIN IMMEDIATE")\n            summed',
        'self._write_facts(line)\n            self._base.execute("BEGIN IMMEDIATE")\n            summed',
    ),
    # A schedule without its steps.
    ("network/optimizers.py", "(np.floor(power) if self.staircase else power)", "power"),
    # Units on scores that have none, and none on those that have one.
    ("report/backtest.py", """"mae": same(f"MAE {unit or ''}".strip())""", '"mae": same("MAE")'),
    ("report/backtest.py", 'if unit and metric in ("rmse", "mae") else', "if unit else"),
    # A jump counted in full by the guard of learning streams.
    ("streaming/online_learning.py", "taken = limit if jumps else loss", "taken = loss"),
    # The paired interval from what is not paired.
    (
        "experiment/paired_statistics.py",
        "mean, interval = _mean_with_interval(differences)",
        "mean, interval = _mean_with_interval(differences)[0], _mean_with_interval(stateful)[1]",
    ),
    # Skill without a rival, or beside a perfect one.
    ("forecasting/evaluation.py", "if others and min(others) > 0 else", "if others else"),
    ("forecasting/evaluation.py", "if others and min(others) > 0 else", "if others and min(others) >= 0 else"),
    # What looks like a file of ours.
    ("storage.py", "< os.path.getsize(path)", "<= os.path.getsize(path)"),
    ("storage.py", 'head[8:] == b"{" and', ""),
    # The width of the batch that long and short series get.
    ("forecasting/held_out.py", "min(WIDEST, count // ROWS_A_WIDTH)", "WIDEST"),
    ("forecasting/held_out.py", "count // (4 * settings.timesteps)", "count // (5 * settings.timesteps)"),
    # The identity of a checkpoint without one of the options or the arrays, or the seed.
    *(
        ("training/fit.py", f"({_OPTIONS})", f"({_OPTIONS})".replace(f", {name}", ""))
        for name in _OPTIONS.split(", ")[1:]
        if name not in _SIZES
    ),
    *(("training/fit.py", f"({_DATA}", f"({_DATA}".replace(f"{name}, ", "", 1)) for name in _DATA.split(", ")[:-1]),
    ("training/fit.py", "epochs, seed, *rows_of(first, validation)", "epochs, *rows_of(first, validation)"),
    ("training/fit.py", "epochs, seed, *rows_of(first, validation)", "seed, *rows_of(first, validation)"),
    ("training/fit.py", "*rows_of(first, validation)", "*rows_of(first)"),
)
