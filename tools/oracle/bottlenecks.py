"""Bottleneck adapters through the library `adapters` on the tiny models: 30 AdamW steps, its files, its logits.

`python tools/oracle/bottlenecks.py` in an environment of its own: adapters 1.2.0 wants transformers 4.51.3.
No Llama: that version changes the tiny Llama's logits (by 7) before it has any adapter.
"""

from __future__ import annotations

import json
import sys

import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

from store import folder, write_json, write_tensors

sys.path.pop(0)  # this folder has an adapters.py of its own
import adapters  # noqa: E402
from adapters import DoubleSeqBnConfig, SeqBnConfig  # noqa: E402

STEPS = 30
RATE = 0.01
DECAY = 0.01
CASES = {
    'houlsby-bert': ('bert-classifier', DoubleSeqBnConfig(reduction_factor=8)),
    'pfeiffer-bert': ('bert-classifier', SeqBnConfig(reduction_factor=8, leave_out=[1])),
    'houlsby-distilbert': ('distilbert-classifier', DoubleSeqBnConfig(reduction_factor=4)),
    'pfeiffer-distilbert': ('distilbert-classifier', SeqBnConfig(reduction_factor=4)),
    'houlsby-gpt2': ('gpt2', DoubleSeqBnConfig(reduction_factor=4)),
}


def base_of(name: str) -> torch.nn.Module:
    kind = AutoModelForSequenceClassification if name.endswith('classifier') else AutoModelForCausalLM
    return kind.from_pretrained(folder('nn', name), attn_implementation='eager').eval()


def inputs_of(name: str) -> dict[str, torch.Tensor]:
    """What the golden of the model itself was made with."""
    record = load_file(folder('nn', name) / 'golden.safetensors')
    return {key.removeprefix('input.'): value.long() for key, value in record.items() if key.startswith('input.')}


def train(model: torch.nn.Module, inputs: dict[str, torch.Tensor]) -> list[float]:
    """Losses before each step and after the last; no dropout."""
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trainable, lr=RATE, weight_decay=DECAY)
    losses = []
    for _ in range(STEPS):
        loss = model(**inputs).loss
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        return [*losses, model(**inputs).loss.item()]


def save(model: torch.nn.Module, path, classifier: bool) -> None:
    """The library's own files, without the machine's path; a language model's head is the base's."""
    path.mkdir(parents=True, exist_ok=True)
    model.save_adapter(str(path), 'demo', with_head=classifier, use_safetensors=True)
    for file in path.glob('*.json'):
        record = json.loads(file.read_text())
        record['model_name'] = path.parent.name
        file.write_text(json.dumps(record, indent=2, sort_keys=True) + '\n')


def write(name: str) -> None:
    base, configuration = CASES[name]
    inputs = inputs_of(base)
    path = folder('lora', 'added', name)
    torch.manual_seed(77)
    model = base_of(base)
    with torch.no_grad():
        record = {'logits.base': model(**inputs).logits}
    adapters.init(model)
    model.add_adapter('demo', config=configuration)
    model.train_adapter('demo')
    model.eval()
    classifier = base.endswith('classifier')
    trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
    facts = {'base': base, 'steps': STEPS, 'learningRate': RATE, 'weightDecay': DECAY, 'trainableParameters': trainable}
    save(model, path / 'start', classifier)
    facts['losses'] = train(model, inputs)
    save(model, path / 'trained', classifier)
    with torch.no_grad():
        record['logits'] = model(**inputs).logits
    record |= {f'input.{key}': value.to(torch.int32) for key, value in inputs.items()}
    write_tensors(path / 'golden.safetensors', record)
    write_json(path / 'golden.json', facts)


if __name__ == '__main__':
    for case in CASES:
        write(case)
