"""Every public operation in PyTorch: the calls drawn by `op-cases.mjs`, evaluated with torch's own functions.

A call such as `x.logSoftmax(-1)` is Python too, once `true` and object literals are translated: `Op` maps the name
to torch's (`log_softmax`) unless OVERRIDES says how the two differ.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable

import torch
import torch.nn.functional as F

from store import ROOT, folder, write_json

TYPES = {'f32': torch.float32, 'i32': torch.int32, 'u32': torch.int64, 'bool': torch.bool}


def axes_of(x: torch.Tensor, axes) -> list[int]:
    return list(range(x.dim())) if axes is None else [axes] if isinstance(axes, int) else list(axes)


def slice_(x: torch.Tensor, axis: int, start: int, end: int | None = None, step: int = 1):
    return x.index_select(axis, places(x, axis, start, end, step))


def places(x: torch.Tensor, axis: int, start: int, end: int | None, step: int) -> torch.Tensor:
    return torch.tensor(range(x.shape[axis])[start:end:step], dtype=torch.long)


def pad(x: torch.Tensor, before, after, value=0, interior=None):
    for axis, between in enumerate(interior or [0] * x.dim()):
        n = x.shape[axis]
        if between == 0 or n < 2:
            continue
        shape = [*x.shape]
        shape[axis] = n + (n - 1) * between
        at = torch.arange(n) * (between + 1)
        x = torch.full(shape, value, dtype=x.dtype).index_copy(axis, at, x)
    return F.pad(x, [n for pair in zip(reversed(before), reversed(after)) for n in pair], value=value)


def shear(x: torch.Tensor, axis: int, along: int, by: int):
    count = x.shape[along]
    first = -by * (count - 1) if by < 0 else 0
    length = x.shape[axis] - abs(by) * (count - 1)
    parts = [x.narrow(along, j, 1).narrow(axis, first + by * j, length) for j in range(count)]
    return torch.cat(parts, along)


def unfold(x: torch.Tensor, axis: int, size: int, step: int, dilation: int = 1):
    return x.unfold(axis, dilation * (size - 1) + 1, step)[..., ::dilation]


def conv(function: Callable):
    names = {'outputPadding': 'output_padding'}
    return lambda x, weight, options: function(x, weight, **{names.get(k, k): v for k, v in options.items()})


def pool(function: Callable):
    names = {'countIncludePad': 'count_include_pad'}
    return lambda x, size, options: function(x, size, **{names.get(k, k): v for k, v in options.items()})


def prod(x: torch.Tensor, axes, keep=False):
    for axis in sorted(axes, reverse=True):
        x = torch.prod(x, axis, keep)
    return x


def running(function: Callable, identity: float) -> Callable:
    """cumsum or cumprod, from either end, with or without the element itself."""

    def run(x: torch.Tensor, axis: int, options: dict):
        turned = x.flip(axis) if options['reverse'] else x
        if options['exclusive']:
            first = torch.full_like(turned.narrow(axis, 0, 1), identity)
            turned = torch.cat([first, turned.narrow(axis, 0, x.shape[axis] - 1)], axis)
        y = function(turned, axis)
        return y.flip(axis) if options['reverse'] else y

    return run


OVERRIDES: dict[str, Callable] = {
    'cast': lambda x, dtype: x.to(TYPES[dtype]),
    'and': torch.logical_and,
    'or': torch.logical_or,
    'not': torch.logical_not,
    'xor': torch.logical_xor,
    'bitwiseLeftShift': lambda x, n: torch.bitwise_left_shift(x, n % 32),
    'bitwiseRightShift': lambda x, n: torch.bitwise_right_shift(x, n % 32),
    'isNaN': torch.isnan,
    'isInf': torch.isinf,
    'isFinite': torch.isfinite,
    'clamp': lambda x, *bounds: torch.clamp(x, *bounds) if bounds else x,
    'gelu': F.gelu,
    'geluTanh': lambda x: F.gelu(x, approximate='tanh'),
    'silu': F.silu,
    'logSigmoid': F.logsigmoid,
    **{name: getattr(F, re.sub('([A-Z])', lambda m: '_' + m[1].lower(), name))
       for name in ('softplus', 'mish', 'relu6', 'hardtanh', 'hardsigmoid', 'hardswish', 'leakyRelu', 'elu', 'celu',
                    'selu', 'softsign')},
    'max': lambda x, axes=None, keep=False: torch.amax(x, axes_of(x, axes), keep),
    'min': lambda x, axes=None, keep=False: torch.amin(x, axes_of(x, axes), keep),
    'sum': lambda x, axes=None, keep=False: torch.sum(x, axes_of(x, axes), keep) if x.dim() else x,
    'mean': lambda x, axes=None, keep=False: torch.mean(x, axes_of(x, axes), keep) if x.dim() else x,
    'variance': lambda x, axes, keep, n: torch.var(x, axes, correction=n, keepdim=keep),
    'std': lambda x, axes, keep, n: torch.std(x, axes, correction=n, keepdim=keep),
    'prod': prod,
    'any': lambda x, axes, keep: torch.any(x, axes, keep) if x.dim() else x != 0,
    'all': lambda x, axes, keep: torch.all(x, axes, keep) if x.dim() else x != 0,
    'norm': lambda x, p, axes, keep: torch.linalg.vector_norm(x, p, axes or None, keep),
    'cumsum': running(torch.cumsum, 0),
    'cumprod': running(torch.cumprod, 1),
    'sort': lambda x, axis, descending: torch.sort(x, dim=axis, descending=descending, stable=True),
    'argsort': lambda x, axis, descending: torch.argsort(x, dim=axis, descending=descending, stable=True),
    'median': lambda x, axis, keep: torch.median(x, axis, keep).values,
    'quantile': lambda x, q, axis, keep: torch.quantile(x, q, axis, keep),
    'logSumExp': lambda x, axes=-1, keep=False: torch.logsumexp(x, axes, keep),
    'slice': slice_,
    'pad': pad,
    'gather': lambda table, index: table[index.long()],
    'takeAlongAxis': lambda x, index, axis: torch.take_along_dim(x, index.long(), axis),
    'scatterAdd': lambda x, axis, index, source: x.scatter_add(axis, index.long(), source),
    'oneHot': lambda x, classes: F.one_hot(x.long(), classes),
    'shear': shear,
    'unfold': unfold,
    # torch.trace itself gives wrong gradients for matrices with more rows than columns (2.9.1).
    'trace': lambda x: torch.diagonal(x).sum(),
    'tensordot': lambda x, y, axes: torch.tensordot(x, y, dims=axes),
    'conv1d': conv(F.conv1d),
    'conv2d': conv(F.conv2d),
    'convTranspose1d': conv(F.conv_transpose1d),
    'convTranspose2d': conv(F.conv_transpose2d),
    'maxPool1d': pool(F.max_pool1d),
    'maxPool2d': pool(F.max_pool2d),
    'avgPool1d': pool(F.avg_pool1d),
    'avgPool2d': pool(F.avg_pool2d),
    'adaptiveAvgPool1d': F.adaptive_avg_pool1d,
    'adaptiveAvgPool2d': F.adaptive_avg_pool2d,
}

# No goldens: PyTorch leaves open which of several updates of one place stays, and gives each of them the gradient.
WITHOUT = {'scatter'}

FUNCTIONS: dict[str, Callable] = {
    'zeros': torch.zeros,
    'ones': torch.ones,
    'full': torch.full,
    'arange': torch.arange,
    'scalar': torch.tensor,
    'where': torch.where,
    'concat': torch.cat,
    'stack': torch.stack,
    'eye': torch.eye,
    'linspace': torch.linspace,
    'meshgrid': lambda vectors, indexing: torch.meshgrid(vectors, indexing=indexing),
    'einsum': torch.einsum,
}


def raw(value):
    if isinstance(value, Op):
        return value.tensor
    if isinstance(value, dict):
        return {name: raw(item) for name, item in value.items()}
    return type(value)(raw(item) for item in value) if isinstance(value, (list, tuple)) else value


def wrap(value):
    return [Op(item) for item in value] if isinstance(value, (list, tuple)) else Op(value)


class Op:
    """A torch tensor that answers to our names."""

    def __init__(self, tensor: torch.Tensor):
        self.tensor = tensor

    def __getattr__(self, name: str):
        plain = name.removesuffix('_') if name in ('and_', 'or_', 'not_') else name
        snake = re.sub(r'(?<=[a-z0-9])([A-Z])', lambda m: '_' + m[1].lower(), plain)
        method = OVERRIDES.get(plain) or getattr(torch.Tensor, snake)
        return lambda *args: wrap(method(self.tensor, *[raw(a) for a in args]))


def python(call: str) -> str:
    """JavaScript's literals and reserved names as Python's."""
    call = re.sub(r'\b(\w+): ', r'"\1": ', call)
    return re.sub(r'\.(and|or|not)\(', r'.\1_(', call)


def evaluate(call: str, inputs: list[torch.Tensor]):
    names = dict(zip('xyzw', [Op(x) for x in inputs]))
    literals = {'true': True, 'false': False, 'undefined': None, 'Infinity': float('inf'), 'NaN': float('nan')}
    functions = {name: (lambda f: lambda *args: wrap(f(*[raw(a) for a in args])))(f) for name, f in FUNCTIONS.items()}
    result = eval(python(call), {**functions, **literals, **names})  # noqa: S307 - our own catalogue's text
    return [item.tensor for item in result] if isinstance(result, list) else [result.tensor]


def tensor_of(array: dict) -> torch.Tensor:
    dtype = torch.float64 if array['dtype'] == 'f32' else TYPES[array['dtype']]
    return torch.tensor(array['data'], dtype=dtype).reshape(array['shape'])


def golden(case: dict, gradient: str) -> dict:
    """Outputs in f64 rounded to f32, and the gradients of the sum of (1 + i mod 3) times element i."""
    inputs = [tensor_of(array) for array in case['inputs']]
    floats = [x.requires_grad_() for x in inputs if x.is_floating_point()]
    outputs = evaluate(case['call'], inputs)
    record = {**case, 'outputs': [y.detach().to(torch.float32).flatten() for y in outputs]}
    if gradient == 'smooth' and floats:
        loss = sum((y.flatten() * (1 + torch.arange(y.numel()) % 3)).sum() for y in outputs if y.is_floating_point())
        found = torch.autograd.grad(loss, floats, allow_unused=True)
        zeros = [torch.zeros_like(x) if g is None else g for x, g in zip(floats, found)]
        record['gradients'] = [g.to(torch.float32).flatten() for g in zeros]
    return record


def catalogue(families: list[str] | None = None) -> None:
    text = subprocess.run(['node', ROOT / 'tools/oracle/op-cases.mjs'], capture_output=True, text=True, check=True)
    for family, operations in json.loads(text.stdout).items():
        if families and family not in families:
            continue
        records, missing = {}, []
        for name, operation in operations.items():
            if name in WITHOUT:
                continue
            try:
                records[name] = [golden(case, operation['gradient']) for case in operation['cases']]
            except (AttributeError, TypeError, RuntimeError, NameError, SyntaxError, KeyError) as error:
                missing.append(f'{name}: {error}')
        write_json(folder('autograd', 'catalogue') / f'{family}.json', records)
        for line in missing:
            print(f'          no golden of {family}.{line}')
