"""Prompts and prefixes through PEFT on the tiny models: 30 AdamW steps, the files PEFT saves, its logits and continuations."""

from __future__ import annotations

import torch
from peft import (
    AdaptionPromptConfig,
    PeftModel,
    PrefixTuningConfig,
    PromptEncoderConfig,
    PromptTuningConfig,
    TaskType,
    get_peft_model,
)
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

import decoders
import encoders
from adapters import save_adapter
from models import bert_inputs, llama_inputs
from store import folder, write_json, write_tensors

STEPS = 30
DECAY = 0.01
TOKENS = 4
NEW_TOKENS = 10
CLASSES = {'labels': torch.tensor([1, 2, 0])}

CAUSAL = dict(task_type=TaskType.CAUSAL_LM)
CLASSIFIER = dict(task_type=TaskType.SEQ_CLS)


def bert() -> dict[str, torch.Tensor]:
    return bert_inputs(61) | CLASSES


def roberta() -> dict[str, torch.Tensor]:
    """Cut: the tiny RoBERTa has eleven positions, four of which the virtual tokens take."""
    return {key: value[:, :7] for key, value in encoders.inputs(62, 1).items()} | encoders.CLASSES


def llama() -> dict[str, torch.Tensor]:
    return llama_inputs(63)


def gpt2() -> dict[str, torch.Tensor]:
    given = decoders.inputs(64)
    return given | {'labels': given['input_ids'].masked_fill(given['attention_mask'] == 0, -100)}


def unpadded() -> dict[str, torch.Tensor]:
    """Of embeddings alone, Transformers scores the last column, padding or not: so no padding here."""
    given = decoders.inputs(65)
    return {'input_ids': given['input_ids'][:, :3], 'attention_mask': given['attention_mask'][:, :3]} | CLASSES


VIRTUAL = dict(num_virtual_tokens=TOKENS)
CASES = {
    # name: (model, inputs, configuration, learning rate)
    'prompt-bert': ('bert-classifier', bert, PromptTuningConfig(**CLASSIFIER, **VIRTUAL), 0.02),
    'prompt-roberta': ('roberta-classifier', roberta, PromptTuningConfig(**CLASSIFIER, **VIRTUAL), 0.02),
    'prompt-llama': ('llama-tied', llama, PromptTuningConfig(**CAUSAL, **VIRTUAL, prompt_tuning_init='SAMPLE_VOCAB'), 0.02),
    'prompt-gpt2': ('gpt2', gpt2, PromptTuningConfig(**CAUSAL, **VIRTUAL), 0.02),
    'prompt-gpt2-classifier': ('gpt2-classifier', unpadded, PromptTuningConfig(**CLASSIFIER, **VIRTUAL), 0.02),
    'p-tuning-bert': ('bert-classifier', bert, PromptEncoderConfig(**CLASSIFIER, **VIRTUAL, encoder_hidden_size=12), 0.005),
    'p-tuning-llama': ('llama-tied', llama, PromptEncoderConfig(**CAUSAL, **VIRTUAL), 0.005),
    'prefix-bert': ('bert-classifier', bert, PrefixTuningConfig(**CLASSIFIER, **VIRTUAL), 0.02),
    'prefix-llama': ('llama-tied', llama, PrefixTuningConfig(**CAUSAL, **VIRTUAL), 0.02),
    'prefix-mistral': ('mistral', gpt2, PrefixTuningConfig(**CAUSAL, **VIRTUAL), 0.02),
    'prefix-gpt2': ('gpt2', gpt2, PrefixTuningConfig(**CAUSAL, **VIRTUAL), 0.02),
    'prefix-projection': ('gpt2', gpt2, PrefixTuningConfig(**CAUSAL, **VIRTUAL, prefix_projection=True, encoder_hidden_size=8), 0.005),
    'adaption-llama': ('llama-tied', llama, AdaptionPromptConfig(**CAUSAL, adapter_len=5, adapter_layers=2), 0.05),
    'adaption-gpt2': ('gpt2', gpt2, AdaptionPromptConfig(**CAUSAL, adapter_len=5, adapter_layers=1), 0.05),
}


def model_of(name: str) -> torch.nn.Module:
    kind = AutoModelForSequenceClassification if name.endswith('classifier') else AutoModelForCausalLM
    return kind.from_pretrained(folder('nn', name), attn_implementation='eager').eval()


def started(model: PeftModel) -> dict[str, torch.Tensor]:
    """What trains, under the names of our side: the adapter's name and PEFT's wrappers left out."""
    found = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        short = name.replace('prompt_encoder.default.', 'prompt_encoder.').replace('modules_to_save.default.', '')
        gated = 'adaption_' in name
        found[short.removeprefix('base_model.model.' if gated else 'base_model.')] = parameter.detach().clone()
    return found


def train(model: PeftModel, inputs: dict[str, torch.Tensor], rate: float) -> list[float]:
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


def continuation(model: PeftModel, inputs: dict[str, torch.Tensor]) -> dict:
    """Greedy, from the first four tokens of the first row, which has no padding."""
    prompt = inputs['input_ids'][:1, :4]
    settings = dict(max_new_tokens=NEW_TOKENS, do_sample=False, eos_token_id=None, pad_token_id=0)
    ids = model.generate(input_ids=prompt, attention_mask=torch.ones_like(prompt), **settings)[0].tolist()
    return {'prompt': prompt[0].tolist(), 'generated': ids[prompt.shape[1] :]}


def write(name: str) -> None:
    base, make_inputs, configuration, rate = CASES[name]
    inputs = make_inputs()
    path = folder('lora', 'prompts', name)
    torch.manual_seed(66)
    model = get_peft_model(model_of(base), configuration).eval()
    facts = {'base': base, 'steps': STEPS, 'learningRate': rate, 'weightDecay': DECAY}
    facts['trainableParameters'] = model.get_nb_trainable_parameters()[0]
    record = {f'start.{key}': value for key, value in started(model).items()}
    facts['losses'] = train(model, inputs, rate)
    save_adapter(model, path / 'trained', base)
    loaded = PeftModel.from_pretrained(model_of(base), path / 'trained').eval()
    with torch.no_grad():
        record['logits'] = loaded(**inputs).logits
        # PEFT's `disable_adapter` of an adaption prompt is the base model; of prompts it is the base model called alone.
        record['logits.base'] = model_of(base)(**inputs).logits
    if configuration.task_type == TaskType.CAUSAL_LM:
        facts |= continuation(loaded, inputs)
    record |= {f'input.{key}': value.to(torch.int32) for key, value in inputs.items()}
    write_tensors(path / 'golden.safetensors', record)
    write_json(path / 'golden.json', facts)


def prompts() -> None:
    for name in CASES:
        write(name)
