"""LoRA through PEFT on the tiny models: the adapter before and after a few steps, losses, logits, merged weights."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch
from peft import LoraConfig, TaskType, get_peft_model
from transformers import (
    AutoModelForSequenceClassification,
    BertForSequenceClassification,
    GPT2ForSequenceClassification,
    LlamaForCausalLM,
)

import decoders
import encoders
from models import bert_inputs, llama_inputs
from store import folder, write_json, write_tensors

STEPS = 6
RATE = 1e-2

BERT = dict(
    task_type=TaskType.SEQ_CLS,
    target_modules=['query', 'value'],
    r=4,
    lora_alpha=8,
    layers_to_transform=[1, 2],
    modules_to_save=['classifier'],
)
GPT2 = dict(
    task_type=TaskType.SEQ_CLS,
    target_modules=['c_attn', 'c_fc'],
    r=3,
    lora_alpha=6,
    layers_to_transform=[1],
    modules_to_save=['score'],
    fan_in_fan_out=True,
)
# PEFT's own `modules_to_save` of a classifier; in DistilBERT it takes `pre_classifier` for one of them.
ENCODERS = {
    'distilbert': (['q_lin', 'v_lin'], 0),
    'roberta': (['query', 'value'], 1),
    'deberta': (['query_proj', 'value_proj'], 0),
    'modernbert': (['Wqkv'], 2),
}
LLAMA = dict(task_type=TaskType.CAUSAL_LM, target_modules=['q_proj', 'v_proj'], r=4, lora_alpha=8)


def save_adapter(model, path: Path, base: str) -> None:
    """PEFT's own two files; what depends on the machine (paths, the order of a set) is made constant."""
    shutil.rmtree(path, ignore_errors=True)
    model.save_pretrained(path)
    (path / 'README.md').unlink(missing_ok=True)
    steady_config(path, base)


def steady_config(path: Path, base: str) -> None:
    config = json.loads((path / 'adapter_config.json').read_text())
    config['base_model_name_or_path'] = base
    if isinstance(config.get('target_modules'), list):
        config['target_modules'] = sorted(config['target_modules'])
    (path / 'adapter_config.json').write_text(json.dumps(config, indent=2, sort_keys=True) + '\n')


def randomise_a(model, seed: int) -> None:
    """A from a seed that is ours; B stays zero, as PEFT starts it."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            if '.lora_A.' in name:
                parameter.copy_(0.2 * torch.randn(parameter.shape, generator=generator))


def train(model, inputs: dict[str, torch.Tensor]) -> list[float]:
    """Losses before each step, then after the last: STEPS + 1 numbers. No dropout, AdamW on what is trainable."""
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trainable, lr=RATE, weight_decay=0.01)
    losses = []
    for _ in range(STEPS):
        loss = model(**inputs).loss
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        return [*losses, model(**inputs).loss.item()]


def write_adapter(name: str, base: str, model, inputs: dict[str, torch.Tensor], settings: dict) -> None:
    path = folder('lora', name)
    configuration = LoraConfig(lora_dropout=0.0, bias='none', **settings)
    adapted = get_peft_model(model.eval(), configuration).eval()
    randomise_a(adapted, 51)
    save_adapter(adapted, path / 'start', base)
    trainable, total = adapted.get_nb_trainable_parameters()
    losses = train(adapted, inputs)
    save_adapter(adapted, path / 'trained', base)
    with torch.no_grad():
        record = {'logits': adapted(**inputs).logits}
        with adapted.disable_adapter():
            record['logits.disabled'] = adapted(**inputs).logits
        merged = adapted.merge_and_unload()
        record['logits.merged'] = merged(**inputs).logits
    targets = tuple(f'.{target}.weight' for target in settings['target_modules'])
    record |= {f'merged.{key}': value for key, value in merged.state_dict().items() if key.endswith(targets)}
    record |= {f'input.{key}': value.to(torch.int32) for key, value in inputs.items()}
    write_tensors(path / 'golden.safetensors', record)
    facts = {'base': base, 'steps': STEPS, 'learningRate': RATE, 'weightDecay': 0.01, 'losses': losses}
    write_json(path / 'golden.json', facts | {'trainableParameters': trainable, 'totalParameters': total})


def lora() -> None:
    bert = bert_inputs(41) | {'labels': torch.tensor([1, 2, 0])}
    llama = llama_inputs(42)
    for suffix, extra in (('', {}), ('-rslora', {'use_rslora': True})):
        base = BertForSequenceClassification.from_pretrained(folder('nn', 'bert-classifier'))
        write_adapter(f'bert{suffix}', 'bert-classifier', base, bert, BERT | extra)
        base = LlamaForCausalLM.from_pretrained(folder('nn', 'llama-tied'))
        write_adapter(f'llama{suffix}', 'llama-tied', base, llama, LLAMA | extra)
    # GPT-2's layers store their weights [in, out]; only its eager attention scales by the block's number.
    base = GPT2ForSequenceClassification.from_pretrained(folder('nn', 'gpt2-classifier'), attn_implementation='eager')
    write_adapter('gpt2', 'gpt2-classifier', base, decoders.inputs(43) | {'labels': torch.tensor([1, 2, 0])}, GPT2)
    for name, (targets, padding) in ENCODERS.items():
        base = AutoModelForSequenceClassification.from_pretrained(folder('nn', f'{name}-classifier'), **encoders.EAGER)
        settings = dict(task_type=TaskType.SEQ_CLS, target_modules=targets, r=2, lora_alpha=4)
        write_adapter(name, f'{name}-classifier', base, encoders.inputs(44, padding) | encoders.CLASSES, settings)
