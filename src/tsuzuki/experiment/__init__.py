"""The experiment: does carrying the state help? Stateless and stateful windows and streams, side by side.

All variants train the same network from the same initial weights, seed by seed, through the same number of recurrent
steps. What is reported is not only the running loss, which follows the season, but the error of the finished weights,
on the training part and on a test part that comes after it, against persistence.
"""
