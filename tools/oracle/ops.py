"""Values and gradients of single operations, computed in f64 from f32 inputs and rounded once to f32."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from store import folder, write_json

EXTREME = [0.0, -0.0, 1e-30, -1e-30, 1e-4, -1e-4, 0.5, -0.5, 1.0, -1.0, 3.0, -3.0, 5.5, -5.5, 9.0, -9.0]
EXTREME += [13.5, -13.5, 20.0, -20.0, 88.0, -88.0, 104.0, -104.0, 1e4, -1e4, 1e18, -1e18]


def noise(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def record(function, inputs: dict[str, torch.Tensor], **parameters) -> dict:
    """`gradients` are those of sum(upstream * output) for every input."""
    doubles = {name: value.double().requires_grad_() for name, value in inputs.items()}
    output = function(*doubles.values())
    upstream = 1 + noise(output.numel(), *output.shape).abs()
    (output * upstream.double()).sum().backward()
    return {
        **({'parameters': parameters} if parameters else {}),
        'shape': list(output.shape),
        'inputs': {name: value.flatten() for name, value in inputs.items()},
        'upstream': upstream.flatten(),
        'output': output.float().flatten(),
        'gradients': {name: value.grad.float().flatten() for name, value in doubles.items()},
    }


def elementwise() -> dict:
    x = torch.cat([torch.tensor(EXTREME), 2 * noise(1, 36)])
    functions = {
        'gelu': lambda x: F.gelu(x),
        'geluTanh': lambda x: F.gelu(x, approximate='tanh'),
        'silu': F.silu,
        'sigmoid': torch.sigmoid,
        'tanh': torch.tanh,
        'erf': torch.erf,
    }
    return {name: record(function, {'x': x}) for name, function in functions.items()}


def rows() -> torch.Tensor:
    """[7, 9]: ordinary rows, a constant one, one of huge spread, one far from zero, one tiny."""
    x = 2 * noise(2, 7, 9)
    x[1] = 3.25
    x[2] = torch.tensor([1e4, -1e4, 0.0, 9999.0, 5.0, -5.0, 1e4, 80.0, -80.0])
    x[3] += 1000
    x[4] *= 1e-6
    return x


def row_programs() -> dict:
    x, weight, bias = rows(), 1 + 0.3 * noise(3, 9), 0.5 * noise(4, 9)

    def rms_norm(x, weight):
        return F.rms_norm(x, (9,), weight, eps=1e-5)

    def layer_norm(x, weight, bias):
        return F.layer_norm(x, (9,), weight, bias, eps=1e-5)

    return {
        'softmax': record(lambda x: F.softmax(x, -1), {'x': x}),
        'logSoftmax': record(lambda x: F.log_softmax(x, -1), {'x': x}),
        'logSumExp': record(lambda x: torch.logsumexp(x, -1), {'x': x}),
        'layerNorm': record(layer_norm, {'x': x, 'weight': weight, 'bias': bias}, eps=1e-5),
        'rmsNorm': record(rms_norm, {'x': x, 'weight': weight}, eps=1e-5),
    }


def ops() -> None:
    write_json(folder('autograd') / 'ops.json', elementwise() | row_programs())
