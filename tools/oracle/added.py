"""IA3, LayerNorm tuning and sparse changes through PEFT on the tiny models: 30 AdamW steps, its files, its logits."""

from __future__ import annotations

import torch
from peft import IA3Config, LNTuningConfig, ShiraConfig, TaskType, get_peft_model
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

import decoders
from adapters import save_adapter
from models import bert_inputs, llama_inputs
from store import folder, write_json, write_tensors

STEPS = 30
DECAY = 0.01
CLASSES = {'labels': torch.tensor([1, 2, 0])}


def bert() -> dict[str, torch.Tensor]:
    return bert_inputs(71) | CLASSES


def llama() -> dict[str, torch.Tensor]:
    return llama_inputs(73)


def gpt2() -> dict[str, torch.Tensor]:
    given = decoders.inputs(74)
    return given | {'labels': given['input_ids'].masked_fill(given['attention_mask'] == 0, -100)}


def base_of(name: str) -> torch.nn.Module:
    kind = AutoModelForSequenceClassification if name.endswith('classifier') else AutoModelForCausalLM
    return kind.from_pretrained(folder('nn', name), attn_implementation='eager').eval()


def train(model: torch.nn.Module, inputs: dict[str, torch.Tensor], rate: float) -> list[float]:
    """Losses before each step and after the last; no dropout."""
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trainable, lr=rate, weight_decay=DECAY)
    losses = []
    for _ in range(STEPS):
        loss = model(**inputs).loss
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        return [*losses, model(**inputs).loss.item()]


def facts_of(base: str, rate: float, model: torch.nn.Module) -> dict:
    trainable = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    return {'base': base, 'steps': STEPS, 'learningRate': rate, 'weightDecay': DECAY, 'trainableParameters': trainable}


def added() -> None:
    classifier = dict(task_type=TaskType.SEQ_CLS, modules_to_save=['classifier'])
    causal = dict(task_type=TaskType.CAUSAL_LM)
    cases = {
        'ia3-bert': ('bert-classifier', bert, IA3Config(**classifier), 0.02),
        'ia3-llama': ('llama-tied', llama, IA3Config(**causal), 0.02),
        'ia3-gpt2': ('gpt2', gpt2, IA3Config(**causal, fan_in_fan_out=True), 0.02),
        'ln-bert': ('bert-classifier', bert, LNTuningConfig(**classifier, target_modules=['LayerNorm']), 0.02),
        'ln-llama': ('llama-tied', llama, LNTuningConfig(**causal), 0.02),
        'shira-bert': (
            'bert-classifier',
            bert,
            ShiraConfig(**classifier, r=2, target_modules=['query', 'value'], random_seed=7),
            0.02,
        ),
        'shira-llama': ('llama-tied', llama, ShiraConfig(**causal, r=2, target_modules=['q_proj', 'v_proj'], random_seed=8), 0.02),
    }
    for name, (base, make_inputs, configuration, rate) in cases.items():
        inputs = make_inputs()
        path = folder('lora', 'added', name)
        torch.manual_seed(76)
        model = get_peft_model(base_of(base), configuration).eval()
        facts = facts_of(base, rate, model)
        save_adapter(model, path / 'start', base)
        facts['losses'] = train(model, inputs, rate)
        save_adapter(model, path / 'trained', base)
        with torch.no_grad():
            record = {'logits': model(**inputs).logits, 'logits.base': base_of(base)(**inputs).logits}
        record |= {f'input.{key}': value.to(torch.int32) for key, value in inputs.items()}
        write_tensors(path / 'golden.safetensors', record)
        write_json(path / 'golden.json', facts)
