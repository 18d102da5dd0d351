"""Optimisers, schedules, clipping and the two losses, step by step, as PyTorch and Transformers compute them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from transformers import Adafactor
from transformers import get_constant_schedule_with_warmup, get_cosine_schedule_with_warmup
from transformers import get_linear_schedule_with_warmup

from store import folder, write_json

STEPS = 30
SHAPES = {'matrix': (3, 4), 'vector': (5,)}


def gradients() -> list[dict[str, torch.Tensor]]:
    """30 steps of gradients whose size wanders over three decades; one step is exactly zero."""
    generator = torch.Generator().manual_seed(7)
    size = [10.0 ** (step % 7 / 2 - 2) for step in range(STEPS)]
    size[12] = 0.0
    return [
        {name: size[step] * torch.randn(shape, generator=generator) for name, shape in SHAPES.items()}
        for step in range(STEPS)
    ]


def trajectory(steps: list[dict[str, torch.Tensor]], schedule, clip: float | None, **options) -> dict:
    """Parameters after each step; `learningRates[t]` and `norms[t]` (before clipping) are those that step t used."""
    generator = torch.Generator().manual_seed(8)
    start = {name: torch.randn(shape, generator=generator) for name, shape in SHAPES.items()}
    parameters = {name: torch.nn.Parameter(value.clone()) for name, value in start.items()}
    optimizer = torch.optim.AdamW(parameters.values(), foreach=False, **options)
    scheduler = schedule(optimizer)
    rates, norms, values = [], [], []
    for step in steps:
        for name, parameter in parameters.items():
            parameter.grad = step[name].clone()
        rates.append(optimizer.param_groups[0]['lr'])
        limit = float('inf') if clip is None else clip
        norms.append(torch.nn.utils.clip_grad_norm_(parameters.values(), limit).item())
        optimizer.step()
        scheduler.step()
        values.append({name: parameter.detach().clone().flatten() for name, parameter in parameters.items()})
    return {
        'options': {**options, 'clip': clip},
        'start': {name: value.flatten() for name, value in start.items()},
        'learningRates': rates,
        'norms': norms,
        'parameters': values,
    }


class Lion(torch.optim.Optimizer):
    """Algorithm 2 of https://arxiv.org/abs/2302.06675."""

    def __init__(self, params, lr: float, betas: tuple[float, float], weight_decay: float):
        super().__init__(params, {'lr': lr, 'betas': betas, 'weight_decay': weight_decay})

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            lr, (beta1, beta2), decay = group['lr'], group['betas'], group['weight_decay']
            for p in group['params']:
                m = self.state[p].setdefault('m', torch.zeros_like(p))
                direction = torch.sign(beta1 * m + (1 - beta1) * p.grad)
                p.sub_(lr * (direction + decay * p))
                m.mul_(beta2).add_(p.grad, alpha=1 - beta2)


KEPT = [0, 1, 2, 4, 11, 12, 13, 20, 29]
OTHERS = {
    'adam': (torch.optim.Adam, {'lr': 1e-2, 'betas': (0.9, 0.99), 'weight_decay': 0.1}),
    'sgd': (torch.optim.SGD, {'lr': 1e-2}),
    'sgdMomentum': (torch.optim.SGD, {'lr': 1e-2, 'momentum': 0.9, 'weight_decay': 0.05}),
    'sgdNesterov': (torch.optim.SGD, {'lr': 1e-2, 'momentum': 0.9, 'nesterov': True}),
    'lion': (Lion, {'lr': 3e-3, 'betas': (0.9, 0.99), 'weight_decay': 0.3}),
    'adafactor': (Adafactor, {}),
    'adafactorWarmup': (Adafactor, {'warmup_init': True}),
    'adafactorExternal': (
        Adafactor,
        {
            'lr': 2e-2, 'beta1': 0.9, 'weight_decay': 0.1, 'clip_threshold': 0.7, 'decay_rate': -0.6,
            'scale_parameter': False, 'relative_step': False,
        },
    ),
}


def other(kind, options: dict, steps: list[dict[str, torch.Tensor]]) -> dict:
    """Parameters after the steps of KEPT, on the gradients and from the start of the AdamW records."""
    generator = torch.Generator().manual_seed(8)
    parameters = {name: torch.nn.Parameter(torch.randn(shape, generator=generator)) for name, shape in SHAPES.items()}
    optimizer = kind(parameters.values(), **options)
    values = []
    for index, step in enumerate(steps):
        for name, parameter in parameters.items():
            parameter.grad = step[name].clone()
        optimizer.step()
        if index in KEPT:
            values.append({name: parameter.detach().clone().flatten() for name, parameter in parameters.items()})
    return {'options': options, 'parameters': values}


def optimisers() -> None:
    steps = gradients()
    others = {name: other(kind, options, steps) for name, (kind, options) in OTHERS.items()}
    write_json(folder('nn') / 'optimisers-more.json', {'steps': KEPT, **others})
    usual = {'lr': 1e-2, 'betas': (0.9, 0.999), 'eps': 1e-8, 'weight_decay': 0.01}
    record = {
        'shapes': {name: list(shape) for name, shape in SHAPES.items()},
        'gradients': [{name: value.flatten() for name, value in step.items()} for step in steps],
        'constant': trajectory(steps, lambda o: get_constant_schedule_with_warmup(o, 0), None, **usual),
        'linear': trajectory(steps, lambda o: get_linear_schedule_with_warmup(o, 6, STEPS), 1.0, **usual),
        'cosine': trajectory(
            steps,
            lambda o: get_cosine_schedule_with_warmup(o, 3, STEPS),
            0.5,
            **usual | {'lr': 5e-2, 'betas': (0.8, 0.95), 'eps': 1e-6, 'weight_decay': 0.1},
        ),
    }
    write_json(folder('nn') / 'optimisers.json', record)


def cross_entropy() -> dict:
    """logits [2, 5, 7], labels [2, 5]; mean over the labels that are not -100."""
    generator = torch.Generator().manual_seed(9)
    logits = 4 * torch.randn(2, 5, 7, generator=generator)
    logits[0, 1] = torch.tensor([1e4, -1e4, 0.0, 5.0, -5.0, 1e4, 2.0])
    labels = torch.tensor([[0, 1, -100, 6, 3], [-100, -100, 2, 2, 5]])
    logits.requires_grad_()
    loss = F.cross_entropy(logits.reshape(-1, 7), labels.reshape(-1), ignore_index=-100)
    loss.backward()
    return {'logits': logits, 'labels': labels, 'loss': loss.item(), 'gradient': logits.grad}


def mse() -> dict:
    generator = torch.Generator().manual_seed(10)
    prediction = torch.randn(6, generator=generator).requires_grad_()
    target = 3 * torch.randn(6, generator=generator)
    loss = F.mse_loss(prediction, target)
    loss.backward()
    return {'prediction': prediction, 'target': target, 'loss': loss.item(), 'gradient': prediction.grad}


def losses() -> None:
    write_json(folder('nn') / 'losses.json', {'crossEntropy': cross_entropy(), 'mse': mse()})
