"""The experiment: does carrying the state help? Stateless windows, stateful windows and streams are compared.

All variants train the same network from the same initial weights, seed by seed, through the same number of recurrent
steps. The results are the running loss, which follows the season, and the error of the finished weights on the
training part and on a later test part, compared with persistence.
"""
