"""AdamW, schedules, clipping and the two losses, step by step, as PyTorch and Transformers compute them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
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


def optimisers() -> None:
    steps = gradients()
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
