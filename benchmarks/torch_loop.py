"""PyTorch on a job: a hand-written loop with a carried, detached state, on one thread and on two; the better counts."""

import sys
import time

import numpy as np
import torch

from competitor import answer, job_from


class Net(torch.nn.Module):
    """The job's network, at its initial weights; torch's gates are reordered and its spare bias is frozen at 0."""

    def __init__(self, job):
        super().__init__()
        self.job = job
        kind = {"SimpleRNN": torch.nn.RNN, "GRU": torch.nn.GRU, "LSTM": torch.nn.LSTM}[job.cell]
        self.cell = kind(1, job.units)
        kernel, recurrent, bias, *rest = (torch.tensor(w) for w in job.weights())

        def order(w):
            if job.cell != "GRU":
                return w
            z, r, h = w.split(job.units, dim=-1)
            return torch.cat([r, z, h], dim=-1)

        first, second = (bias[0], bias[1]) if job.cell == "GRU" else (bias, torch.zeros_like(bias))
        with torch.no_grad():
            self.cell.weight_ih_l0.copy_(order(kernel).T)
            self.cell.weight_hh_l0.copy_(order(recurrent).T)
            self.cell.bias_ih_l0.copy_(order(first))
            self.cell.bias_hh_l0.copy_(order(second))
        self.cell.bias_hh_l0.requires_grad = job.cell == "GRU"
        self.head = torch.nn.ParameterList([torch.nn.Parameter(w.clone()) for w in rest])

    def forward(self, x, state):
        """x [steps, lanes, 1] and a state; the outputs of every step or of the last one, and the new state."""
        out, state = self.cell(x, state)
        out = out if self.job.every_step else out[-1]
        if self.job.classic_head:
            out = torch.tanh(out @ self.head[0] + self.head[1])
        return out @ self.head[-2] + self.head[-1], state


class KerasRMSprop(torch.optim.Optimizer):
    """RMSprop with its epsilon where Keras has it, inside the root: for the comparison of losses, not of times."""

    def __init__(self, weights):
        super().__init__(weights, {})

    @torch.no_grad()
    def step(self):
        """Move all weights."""
        for weight in self.param_groups[0]["params"]:
            square = self.state[weight].setdefault("square", torch.zeros_like(weight))
            square.mul_(0.9).addcmul_(weight.grad, weight.grad, value=0.1)
            weight -= 1e-3 * weight.grad / torch.sqrt(square + 1e-7)


def train(job, updates, checked=False):
    """Train some updates; returns their losses and the seconds they took."""
    series = torch.tensor(job.series())
    starts = torch.tensor(job.starts(updates))
    steps = torch.arange(job.steps)
    net = Net(job)
    weights = [p for p in net.parameters() if p.requires_grad]
    optimizer = KerasRMSprop(weights) if checked else torch.optim.RMSprop(weights, lr=1e-3, alpha=0.9, eps=1e-7)
    state, losses = None, []
    began = time.perf_counter()
    for k in range(updates):
        rows = starts[k][None, :] + steps[:, None]
        x = series[rows][:, :, None]
        y = series[rows + 1][:, :, None] if job.every_step else series[starts[k] + job.steps][:, None]
        out, state = net(x, state)
        state = tuple(s.detach() for s in state) if isinstance(state, tuple) else state.detach()
        loss = ((out - y) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    return [float(loss) for loss in losses], time.perf_counter() - began


def main(rounds: int = 3) -> None:
    """Time the loop."""
    job = job_from(sys.argv)
    losses, warm = train(job, job.checked, checked=True)
    best = None
    for threads in (1, 2):
        torch.set_num_threads(threads)
        times = [train(job, job.slow_updates)[1] / job.slow_updates * 1e6 for _ in range(rounds)]
        if best is None or np.median(times) < np.median(best):
            best = times
    answer(best, float(np.mean(losses)), warm)


if __name__ == "__main__":
    main()
