"""Tiny random BERTs and Llamas: weights, inputs with padding, every hidden state, logits, loss and every gradient."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertForSequenceClassification,
    LlamaConfig,
    LlamaForCausalLM,
)

from store import folder, write_json, write_tensors

IGNORED = -100


def bert_config(**overrides) -> BertConfig:
    return BertConfig(
        vocab_size=97,
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=40,
        type_vocab_size=2,
        hidden_act='gelu',
        hidden_dropout_prob=0.1,
        attention_probs_dropout_prob=0.1,
        classifier_dropout=0.2,
        layer_norm_eps=1e-12,
        pad_token_id=0,
        attn_implementation='eager',
        **overrides,
    )


def llama_config(tied: bool) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=101,
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        intermediate_size=48,
        max_position_embeddings=64,
        rope_theta=10000.0,
        rms_norm_eps=1e-5,
        tie_word_embeddings=tied,
        bos_token_id=1,
        eos_token_id=2,
        attn_implementation='eager',
    )


def randomise(model: torch.nn.Module, seed: int) -> None:
    """Weights far from the usual 0.02, so that softmax, GELU and the norms leave their linear range; biases not zero."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            noise = torch.randn(parameter.shape, generator=generator)
            norm_gain = parameter.dim() == 1 and name.endswith('weight')
            parameter.copy_(1 + 0.2 * noise if norm_gain else (0.1 if parameter.dim() == 1 else 0.25) * noise)


def bert_inputs(seed: int) -> dict[str, torch.Tensor]:
    """Three rows of 11, 7 and 4 real tokens [3, 11]; the second segment starts in the middle of each row."""
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.tensor([11, 7, 4])
    position = torch.arange(11)
    mask = (position < lengths[:, None]).long()
    ids = torch.randint(5, 97, (3, 11), generator=generator) * mask
    types = ((position >= lengths[:, None] // 2) & mask.bool()).long()
    return {'input_ids': ids, 'attention_mask': mask, 'token_type_ids': types}


def llama_inputs(seed: int) -> dict[str, torch.Tensor]:
    """Two rows of 10 and 6 real tokens [2, 10], padded on the right with 0; labels are the ids, ignored at padding."""
    generator = torch.Generator().manual_seed(seed)
    mask = (torch.arange(10) < torch.tensor([[10], [6]])).long()
    ids = torch.randint(3, 101, (2, 10), generator=generator) * mask
    return {'input_ids': ids, 'attention_mask': mask, 'labels': ids.masked_fill(mask == 0, IGNORED)}


def save_model(model: torch.nn.Module, path: Path) -> None:
    """A Hugging Face folder without the files that only generation reads."""
    model.save_pretrained(path, safe_serialization=True)
    (path / 'generation_config.json').unlink(missing_ok=True)
    config = json.loads((path / 'config.json').read_text())
    (path / 'config.json').write_text(json.dumps(config, indent=2, sort_keys=True) + '\n')


def run(model: torch.nn.Module, inputs: dict[str, torch.Tensor]) -> tuple[dict[str, torch.Tensor], float]:
    """Forward and backward without dropout; hidden.0 is the embeddings' output, hidden.i the output of block i."""
    model.eval()
    output = model(**inputs, output_hidden_states=True)
    output.loss.backward()
    record = {f'input.{name}': value.to(torch.int32) for name, value in inputs.items() if value.dtype == torch.int64}
    record |= {f'input.{name}': value for name, value in inputs.items() if value.dtype != torch.int64}
    record |= {f'hidden.{index}': hidden for index, hidden in enumerate(output.hidden_states)}
    record['logits'] = output.logits
    record |= {f'gradient.{name}': parameter.grad for name, parameter in model.named_parameters()}
    return record, output.loss.item()


def write_model(name: str, model: torch.nn.Module, inputs: dict[str, torch.Tensor], extra: dict, more: dict | None = None) -> None:
    path = folder('nn', name)
    save_model(model, path)
    record, loss = run(model, inputs)
    write_tensors(path / 'golden.safetensors', record | (more or {}))
    write_json(path / 'golden.json', {'loss': loss} | extra)


def bert() -> None:
    classifier = BertForSequenceClassification(bert_config(num_labels=3))
    randomise(classifier, 11)
    write_model('bert-classifier', classifier, bert_inputs(21) | {'labels': torch.tensor([2, 0, 1])}, {})

    regression = BertForSequenceClassification(bert_config(num_labels=1, problem_type='regression'))
    randomise(regression, 12)
    write_model('bert-regression', regression, bert_inputs(22) | {'labels': torch.tensor([0.5, -1.25, 3.0])}, {})

    masked = BertForMaskedLM(bert_config(tie_word_embeddings=True))
    randomise(masked, 13)
    inputs = bert_inputs(23)
    chosen = torch.zeros_like(inputs['input_ids'], dtype=torch.bool)
    chosen[0, [1, 4, 9]] = chosen[1, [2, 5]] = chosen[2, 3] = True
    inputs['labels'] = inputs['input_ids'].masked_fill(~chosen, IGNORED)
    inputs['input_ids'] = inputs['input_ids'].masked_fill(chosen, 4)
    write_model('bert-masked-lm', masked, inputs, {})


def greedy(model: LlamaForCausalLM, prompt: list[int], count: int) -> tuple[list[int], float]:
    """Greedy continuation without a cache, and the smallest gap between the best and the second logit on the way."""
    tokens, margin = list(prompt), float('inf')
    for _ in range(count):
        with torch.no_grad():
            best = model(torch.tensor([tokens])).logits[0, -1].topk(2)
        margin = min(margin, (best.values[0] - best.values[1]).item())
        tokens.append(best.indices[0].item())
    return tokens[len(prompt) :], margin


def residual_before_norm(model: LlamaForCausalLM, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    """The residual stream that leaves the last block; Transformers' last hidden state is after the final norm."""
    kept: list[torch.Tensor] = []
    hook = model.model.norm.register_forward_pre_hook(lambda _, arguments: kept.append(arguments[0].detach()))
    with torch.no_grad():
        model(**inputs)
    hook.remove()
    return kept[0]


def llama() -> None:
    for name, tied, seed in (('llama-tied', True, 31), ('llama-untied', False, 32)):
        model = LlamaForCausalLM(llama_config(tied))
        randomise(model, seed)
        model.eval()
        inputs = llama_inputs(seed + 10)
        prompt = [1, 7, 42, 99, 13]
        generated, margin = greedy(model, prompt, 12)
        cached = model.generate(
            torch.tensor([prompt]), max_new_tokens=12, do_sample=False, eos_token_id=None, pad_token_id=0
        )[0, len(prompt) :].tolist()
        if cached != generated:
            raise SystemExit(f'{name}: generation with the cache differs from generation without it')
        path = folder('nn', name)
        save_model(model, path)
        raw = residual_before_norm(model, inputs)
        record, loss = run(model, inputs)
        write_tensors(path / 'golden.safetensors', record | {'residual': raw})
        write_json(path / 'golden.json', {'loss': loss, 'prompt': prompt, 'generated': generated, 'margin': margin})
