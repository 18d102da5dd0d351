"""PEFT's low-rank methods on the tiny models: the adapter before and after 30 steps, losses, logits, merged logits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import peft.optimizers.lorafa as lorafa
import torch
from peft import AdaLoraConfig, LoraConfig, PeftConfig, TaskType, VeraConfig, get_peft_model
from peft.optimizers import create_lorafa_optimizer, create_loraplus_optimizer
from transformers import BertForSequenceClassification, GPT2ForSequenceClassification, LlamaForCausalLM

import decoders
from adapters import save_adapter, steady_config
from models import bert_inputs, llama_inputs
from store import folder, write_json, write_tensors

STEPS = 30
RATE = 3e-3
DECAY = 0.01
# PEFT computes LoRA-FA's correction in bf16 where it can; f32 is what the formula says.
lorafa.is_bf16_available = lambda: False

LAYERS = dict(target_modules=['query', 'value'], layers_to_transform=[1, 2])
CLASSIFIER = dict(task_type=TaskType.SEQ_CLS, modules_to_save=['classifier'])
BERT = CLASSIFIER | LAYERS
LORA = BERT | dict(r=4, lora_alpha=8)
# Converting PiSSA and OLoRA, PEFT forgets `modules_to_save`: no task_type, so none is added.
PLAIN = LAYERS | dict(r=4, lora_alpha=8)
GPT2 = dict(
    task_type=TaskType.SEQ_CLS, target_modules=['c_attn', 'c_fc'], modules_to_save=['score'], fan_in_fan_out=True,
    layers_to_transform=[1],
)  # fmt: skip
ADALORA = dict(init_r=6, target_r=3, tinit=4, tfinal=6, deltaT=2, total_step=STEPS, lora_alpha=8)
WORDS = CLASSIFIER | dict(target_modules=['word_embeddings', 'query'], r=3, lora_alpha=6)
CAUSAL = dict(
    task_type=TaskType.CAUSAL_LM, target_modules='all-linear', exclude_modules=['down_proj'], r=4, lora_alpha=8,
    rank_pattern={'q_proj': 2, r'layers\.0\..*v_proj': 3}, alpha_pattern={'k_proj': 2},
)  # fmt: skip


@dataclass
class Case:
    """One adapter: on which model, its config, what makes its optimizer."""

    base: str
    config: PeftConfig
    optimizer: str = 'adamw'
    start: str = 'file'


CASES: dict[str, Callable[[], Case]] = {
    'dora': lambda: Case('bert-classifier', LoraConfig(**LORA, use_dora=True)),
    'pissa': lambda: Case('bert-classifier', LoraConfig(**PLAIN, init_lora_weights='pissa'), start='pissa'),
    'olora': lambda: Case('bert-classifier', LoraConfig(**PLAIN, init_lora_weights='olora'), start='olora'),
    'lora-plus': lambda: Case('bert-classifier', LoraConfig(**LORA), optimizer='lora-plus'),
    'lora-fa': lambda: Case('bert-classifier', LoraConfig(**LORA), optimizer='lora-fa'),
    'bias-all': lambda: Case('bert-classifier', LoraConfig(**LORA, bias='all')),
    'bias-lora-only': lambda: Case('bert-classifier', LoraConfig(**LORA, bias='lora_only')),
    'words': lambda: Case('bert-classifier', LoraConfig(**WORDS)),
    'words-dora': lambda: Case('bert-classifier', LoraConfig(**WORDS, use_dora=True)),
    'vera': lambda: Case('bert-classifier', VeraConfig(**BERT, r=8, projection_prng_key=5)),
    'vera-key': lambda: Case(
        'bert-classifier', VeraConfig(**BERT | dict(target_modules=['query', 'dense']), r=8, projection_prng_key=7, save_projection=False)
    ),
    'adalora': lambda: Case('bert-classifier', AdaLoraConfig(**BERT, **ADALORA), optimizer='adalora'),
    'all-linear': lambda: Case('llama-tied', LoraConfig(**CAUSAL)),
    'gpt2-dora': lambda: Case('gpt2-classifier', LoraConfig(**GPT2, r=3, lora_alpha=6, use_dora=True)),
    'gpt2-pissa': lambda: Case('gpt2-classifier', LoraConfig(**GPT2 | dict(task_type=None, modules_to_save=None), r=3, lora_alpha=6, init_lora_weights='pissa'), start='pissa'),
    'gpt2-vera': lambda: Case('gpt2-classifier', VeraConfig(**GPT2, r=8)),
    'gpt2-adalora': lambda: Case('gpt2-classifier', AdaLoraConfig(**GPT2, **ADALORA), optimizer='adalora'),
}  # fmt: skip


def open_base(name: str) -> tuple[torch.nn.Module, dict[str, torch.Tensor]]:
    labels = {'labels': torch.tensor([1, 2, 0])}
    if name == 'bert-classifier':
        return BertForSequenceClassification.from_pretrained(folder('nn', name)).eval(), bert_inputs(41) | labels
    if name == 'llama-tied':
        return LlamaForCausalLM.from_pretrained(folder('nn', name)).eval(), llama_inputs(42)
    model = GPT2ForSequenceClassification.from_pretrained(folder('nn', name), attn_implementation='eager')
    return model.eval(), decoders.inputs(43) | labels


def make_optimizer(model, case: Case) -> torch.optim.Optimizer:
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if case.optimizer == 'lora-plus':
        return create_loraplus_optimizer(model, torch.optim.AdamW, lr=RATE / 8, loraplus_lr_ratio=8, loraplus_weight_decay=DECAY)
    if case.optimizer == 'lora-fa':
        return create_lorafa_optimizer(model, case.config.r, case.config.lora_alpha, lr=RATE)
    return torch.optim.AdamW(trainable, lr=RATE, weight_decay=DECAY)


def train(model, optimizer: torch.optim.Optimizer, inputs: dict[str, torch.Tensor], case: Case) -> list[float]:
    """Losses before each step and after the last. No dropout."""
    losses = []
    for step in range(STEPS):
        loss = model(**inputs).loss
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if case.optimizer == 'adalora':
            model.base_model.update_and_allocate(step)
    with torch.no_grad():
        return [*losses, model(**inputs).loss.item()]


def save_trained(model, path: Path, case: Case) -> None:
    """PiSSA and OLoRA are converted to LoRA against their start, as PEFT's documentation says."""
    if case.start == 'file':
        return save_adapter(model, path / 'trained', case.base)
    save = model.save_pretrained
    model.save_pretrained = lambda to: save(to, path_initial_model_for_weight_conversion=str(path / 'start'))
    save_adapter(model, path / 'trained', case.base)
    model.save_pretrained = save
    steady_config(path / 'start', case.base)  # which PEFT wrote once more


def write_case(name: str, case: Case) -> None:
    path = folder('lora', f'methods/{name}')
    base, inputs = open_base(case.base)
    torch.manual_seed(11)
    model = get_peft_model(base, case.config).eval()
    if case.start != 'file':
        case.config.init_lora_weights = True  # so that loading the start does not decompose again
    save_adapter(model, path / 'start', case.base)
    optimizer = make_optimizer(model, case)  # LoRA-FA's freezes A
    trainable, _ = model.get_nb_trainable_parameters()
    losses = train(model, optimizer, inputs, case)
    save_trained(model, path, case)
    with torch.no_grad():
        record = {'logits': model(**inputs).logits}
        record['logits.merged'] = model.merge_and_unload()(**inputs).logits
    record |= {f'input.{key}': value.to(torch.int32) for key, value in inputs.items()}
    write_tensors(path / 'golden.safetensors', record)
    facts = {'base': case.base, 'learningRate': RATE, 'weightDecay': DECAY, 'optimizer': case.optimizer, 'start': case.start}
    write_json(path / 'golden.json', facts | {'losses': losses, 'trainableParameters': trainable})


def methods() -> None:
    for name, case in CASES.items():
        write_case(name, case())


if __name__ == '__main__':
    torch.set_num_threads(1)
    methods()
