"""Several adapters of one model through PEFT: in subfolders, mixed in a batch, combined; and the measures of LoRA's section 7."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import BertForSequenceClassification

from adapters import save_adapter
from models import bert_inputs
from store import folder, write_json, write_tensors

ROWS = ['second', '__base__', 'default']
WEIGHTS = {'default': 0.7, 'second': -0.4, 'third': 1.5, 'narrow': 0.9}
# Rank and alpha of the adapters: scales that are not 1, and one of another rank.
SHAPES = {'default': (4, 8), 'second': (4, 2), 'third': (4, 4), 'narrow': (2, 6)}
ALL = ['default', 'second', 'third']
# Name of the golden: the adapters, and PEFT's settings.
COMBINED: dict[str, tuple[list[str], dict]] = {
    'linear': (ALL, {}),
    'ties': (ALL, {'density': 0.5}),
    'ties_frequency': (ALL, {'combination_type': 'ties', 'density': 0.6, 'majority_sign_method': 'frequency'}),
    'dare_linear': (ALL, {'density': 1.0}),
    'dare_ties': (ALL, {'density': 1.0}),
    'magnitude_prune': (ALL, {'density': 0.3}),
    'cat': (['default', 'narrow'], {}),
    'svd': (['default', 'narrow'], {}),
    'svd_2': (['default', 'narrow'], {'combination_type': 'svd', 'svd_rank': 2}),
    'ties_svd': (ALL, {'density': 0.5}),
    'magnitude_prune_svd': (ALL, {'density': 0.4, 'svd_rank': 3}),
}


def adapted() -> PeftModel:
    base = BertForSequenceClassification.from_pretrained(folder('nn', 'bert-classifier'))
    generator = torch.Generator().manual_seed(71)
    model = None
    for name, (r, alpha) in SHAPES.items():
        config = LoraConfig(r=r, lora_alpha=alpha, target_modules=['query', 'value'], layers_to_transform=[1])
        if model is None:
            model = get_peft_model(base.eval(), config)
        else:
            model.add_adapter(name, config)
    with torch.no_grad():
        for key, parameter in sorted(model.named_parameters()):
            if '.lora_' in key:
                parameter.copy_(0.3 * torch.randn(parameter.shape, generator=generator))
    return model.eval()


def combination(model: PeftModel, name: str, adapters: list[str], settings: dict) -> None:
    """The svd kinds of PEFT count the scale twice (`get_delta_weight` has it, and the weights again): divided out here."""
    settings = {'combination_type': name, **settings}
    twice = settings['combination_type'].endswith('svd')
    scales = [SHAPES[key][1] / SHAPES[key][0] if twice else 1 for key in adapters]
    weights = [WEIGHTS[key] / scale for key, scale in zip(adapters, scales)]
    model.add_weighted_adapter(adapters, weights, name, **settings)


def measures(a: np.ndarray, b: np.ndarray, scale: float, weight: np.ndarray, k: int) -> dict:
    delta = scale * b.astype(np.float64) @ a.astype(np.float64)
    u, s, vh = np.linalg.svd(delta)
    rank = a.shape[0]
    p = s[:rank] / s[:rank].sum()
    inside = np.linalg.norm(u[:, :k].T @ weight @ vh[:k].T)
    own = np.linalg.svd(weight, compute_uv=False)
    return {
        'spectrum': s[:rank].astype(np.float32),
        'effectiveRank': float(np.exp(-(p * np.log(p)).sum())),
        'stableRank': float((s**2).sum() / s[0] ** 2),
        'norm': float(np.linalg.norm(delta)),
        'inside': float(inside),
        'amplification': float(np.linalg.norm(delta) / inside),
        'own': float(np.sqrt((own[:k] ** 2).sum())),
        'weightNorm': float(np.linalg.norm(weight)),
    }


def similarity(u1: np.ndarray, u2: np.ndarray) -> np.ndarray:
    """phi(i, j) of the paper's equation 4 on columns."""
    return np.array(
        [
            [np.linalg.norm(u1[:, : i + 1].T @ u2[:, : j + 1]) ** 2 / min(i + 1, j + 1) for j in range(u2.shape[1])]
            for i in range(u1.shape[1])
        ]
    ).astype(np.float32)


def inspection(model: PeftModel) -> dict:
    layer = model.base_model.model.bert.encoder.layer[1].attention.self.query
    weight = layer.base_layer.weight.detach().numpy().astype(np.float64)
    factors = {
        name: (layer.lora_A[name].weight.detach().numpy(), layer.lora_B[name].weight.detach().numpy()) for name in SHAPES
    }
    record = {
        name: measures(a, b, SHAPES[name][1] / SHAPES[name][0], weight, 2) for name, (a, b) in factors.items()
    }
    (a1, b1), (a2, b2) = factors['default'], factors['narrow']
    right = [np.linalg.svd(a.astype(np.float64), full_matrices=False)[2].T for a in (a1, a2)]
    left = [np.linalg.svd(b.astype(np.float64), full_matrices=False)[0] for b in (b1, b2)]
    return {'measures': record, 'similarityA': similarity(*right), 'similarityB': similarity(*left)}


def operations() -> None:
    path = folder('lora', 'operations')
    inputs = bert_inputs(41)
    model = adapted()
    save_adapter(model, path / 'adapters', 'bert-classifier')
    for name in list(SHAPES)[1:]:
        clean(path / 'adapters' / name)
    batch = inputs | {'labels': torch.tensor([1, 2, 0])}
    pickled(model, path / 'pickled')
    record = {f'input.{key}': value.to(torch.int32) for key, value in batch.items()}
    facts = inspection(model)
    with torch.no_grad():
        record['mixed'] = model(**inputs, adapter_names=ROWS).logits
        for name, (adapters, settings) in COMBINED.items():
            combination(model, name, adapters, settings)
            model.set_adapter(name)
            record[f'{name}.logits'] = model(**inputs).logits
            for target in ('query', 'value'):
                layer = getattr(model.base_model.model.bert.encoder.layer[1].attention.self, target)
                a, b = layer.lora_A[name].weight, layer.lora_B[name].weight
                # Singular vectors have no sign of their own: their product has.
                if 'svd' in name:
                    record[f'{name}.{target}.delta'] = b @ a
                else:
                    record |= {f'{name}.{target}.A': a, f'{name}.{target}.B': b}
    write_tensors(path / 'golden.safetensors', record)
    cases = {name: {'adapters': adapters, **settings} for name, (adapters, settings) in COMBINED.items()}
    write_json(path / 'golden.json', facts | {'rows': ROWS, 'weights': WEIGHTS, 'combined': cases})


def pickled(model: PeftModel, path: Path) -> None:
    """An adapter as PEFT wrote it before safetensors: the same keys in a file of torch.save."""
    model.save_pretrained(path, selected_adapters=['narrow'], safe_serialization=False)
    (path / 'README.md').unlink(missing_ok=True)
    clean(path / 'narrow')


def clean(path: Path) -> None:
    """What depends on the machine is made constant, as `save_adapter` does."""
    (path / 'README.md').unlink(missing_ok=True)
    config = json.loads((path / 'adapter_config.json').read_text())
    config['base_model_name_or_path'] = 'bert-classifier'
    config['target_modules'] = sorted(config['target_modules'])
    (path / 'adapter_config.json').write_text(json.dumps(config, indent=2, sort_keys=True) + '\n')
