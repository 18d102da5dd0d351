"""Where goldens live and how they are written: small, deterministic, readable from TypeScript without Python."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

ROOT = Path(__file__).resolve().parents[2]
LARGEST_FILE = 200 * 1024


def folder(package: str, *parts: str) -> Path:
    """`packages/<package>/test/golden/<parts>`, made if it is not there."""
    path = ROOT / 'packages' / package / 'test' / 'golden' / Path(*parts)
    path.mkdir(parents=True, exist_ok=True)
    return path


def plain(value):
    """Numbers as JSON keeps them: f32 in the fewest digits that round-trip, everything else as it is."""
    if isinstance(value, torch.Tensor):
        return plain(value.detach().numpy())
    if isinstance(value, np.ndarray):
        return [plain(item) for item in value]
    if isinstance(value, np.float32):
        return float(str(value))
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def write_json(path: Path, record: dict) -> None:
    """One key a line at the top, compact below: diffs stay readable and files small."""
    rows = [f'  {json.dumps(key)}: {json.dumps(plain(item), allow_nan=False)}' for key, item in record.items()]
    path.write_text('{\n' + ',\n'.join(rows) + '\n}\n')
    check_size(path)


def write_tensors(path: Path, tensors: dict[str, torch.Tensor]) -> None:
    save_file({name: tensor.detach().contiguous().clone() for name, tensor in tensors.items()}, path)
    check_size(path)


def check_size(path: Path) -> None:
    size = path.stat().st_size
    if size > LARGEST_FILE:
        raise SystemExit(f'{path.relative_to(ROOT)} has {size} bytes; a golden may have {LARGEST_FILE}. Store less.')
    print(f'{size:8d}  {path.relative_to(ROOT)}')
