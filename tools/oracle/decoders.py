"""Tiny random decoders of every family, with the quirks of their real configurations; see models.write_model.

Beside what encoders have: `residual`, the stream before the final norm, and what Transformers generates greedily for
three prompts padded on the left.
"""

from __future__ import annotations

import torch
from transformers import (
    Gemma2Config,
    Gemma2ForCausalLM,
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    Gemma3TextForSequenceClassification,
    GemmaConfig,
    GemmaForCausalLM,
    GPT2Config,
    GPT2ForSequenceClassification,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    LlamaForSequenceClassification,
    MistralConfig,
    MistralForCausalLM,
    Phi3Config,
    Phi3ForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
    Qwen3ForSequenceClassification,
)
from transformers.generation.logits_process import (
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from models import IGNORED, randomise, write_model
from store import folder, write_json

VOCABULARY, LENGTHS, PADDING = 41, (10, 7, 3), 3
PROMPTS = [[5, 17, 33, 8, 21, 12, 40], [9, 30], [11, 6, 25, 14]]
NEW_TOKENS, MARGIN = 12, 0.005
IDS = {'pad_token_id': PADDING, 'bos_token_id': 1, 'eos_token_id': 2}
COMMON = {'vocab_size': VOCABULARY, 'attn_implementation': 'eager', **IDS}
SIZES = {
    **COMMON,
    'hidden_size': 16,
    'num_hidden_layers': 2,
    'num_attention_heads': 4,
    'num_key_value_heads': 2,
    'intermediate_size': 24,
    'max_position_embeddings': 64,
}
ROPE_FIELDS = {*SIZES, 'model_type', 'head_dim', 'rope_theta', 'rope_scaling', 'partial_rotary_factor'}
ROPE_FIELDS |= {'original_max_position_embeddings'}
CLASSES = {'num_labels': 3, 'problem_type': 'single_label_classification'}


def inputs(seed: int) -> dict[str, torch.Tensor]:
    """Three rows of 10, 7 and 3 real tokens, padded on the right."""
    generator = torch.Generator().manual_seed(seed)
    mask = (torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None]).long()
    ids = torch.randint(5, VOCABULARY, mask.shape, generator=generator)
    return {'input_ids': torch.where(mask.bool(), ids, PADDING), 'attention_mask': mask}


def final_norm(model: torch.nn.Module) -> torch.nn.Module:
    return model.transformer.ln_f if hasattr(model, 'transformer') else model.model.norm


def residual(model: torch.nn.Module, given: dict[str, torch.Tensor]) -> torch.Tensor:
    """What leaves the last block; Transformers' last hidden state is after the final norm."""
    kept: list[torch.Tensor] = []
    hook = final_norm(model).register_forward_pre_hook(lambda _, arguments: kept.append(arguments[0].detach()))
    with torch.no_grad():
        model(**given)
    hook.remove()
    return kept[0]


def generated(model: torch.nn.Module) -> dict:
    """Greedy continuations of prompts padded on the left, and the least gap between the best two logits on the way."""
    width = max(map(len, PROMPTS))
    ids = torch.tensor([[PADDING] * (width - len(prompt)) + prompt for prompt in PROMPTS])
    mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in PROMPTS])
    result = model.generate(
        ids,
        attention_mask=mask,
        max_new_tokens=NEW_TOKENS,
        do_sample=False,
        eos_token_id=None,
        output_logits=True,
        return_dict_in_generate=True,
    )
    best = torch.stack(result.logits).topk(2).values
    tokens = result.sequences[:, width:].tolist()
    alone = [greedy(model, prompt) for prompt in PROMPTS]
    if tokens != alone:
        raise SystemExit(f'{type(model).__name__}: a batch with the cache differs from single rows without it')
    return {'prompts': PROMPTS, 'generated': tokens, 'margin': (best[..., 0] - best[..., 1]).min().item()}


def greedy(model: torch.nn.Module, prompt: list[int]) -> list[int]:
    tokens = list(prompt)
    for _ in range(NEW_TOKENS):
        with torch.no_grad():
            tokens.append(model(torch.tensor([tokens])).logits[0, -1].argmax().item())
    return tokens[len(prompt) :]


def write_causal(name: str, model: torch.nn.Module, seed: int, generates: bool = True) -> None:
    model.eval()
    given = inputs(seed + 100)
    extra = {}
    for attempt in range(30):  # until no two logits are so near each other that rounding decides
        randomise(model, seed + 1000 * attempt)
        extra = generated(model) if generates else {}
        if extra.get('margin', 1) > MARGIN:
            break
    record = {'residual': residual(model, given)}
    labels = given['input_ids'].masked_fill(given['attention_mask'] == 0, IGNORED)
    write_model(name, model, given | {'labels': labels}, extra, record)


def write_classifier(name: str, model: torch.nn.Module, seed: int, labels: torch.Tensor) -> None:
    randomise(model, seed)
    write_model(name, model, inputs(seed + 100) | {'labels': labels}, {})


def llama(**more) -> LlamaConfig:
    return LlamaConfig(**(SIZES | more))


def scaled(rope_type: str, **scaling) -> dict:
    return {'rope_scaling': {'rope_type': rope_type, **scaling}}


def llamas() -> None:
    """Every way to stretch the rotary embedding, at lengths where it matters."""
    llama3 = scaled('llama3', factor=4.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=16)
    write_causal('llama3', LlamaForCausalLM(llama(**llama3, attention_bias=True, mlp_bias=True, rope_theta=500.0)), 201)
    write_causal('llama-linear', LlamaForCausalLM(llama(**scaled('linear', factor=2.5), num_hidden_layers=1)), 202)
    dynamic = llama(**scaled('dynamic', factor=3.0), num_hidden_layers=1, max_position_embeddings=6)
    write_causal('llama-dynamic', LlamaForCausalLM(dynamic), 203, generates=False)
    yarn = scaled('yarn', factor=4.0, original_max_position_embeddings=16, beta_fast=2.0, beta_slow=0.5)
    write_causal('llama-yarn', LlamaForCausalLM(llama(**yarn, num_hidden_layers=1)), 204)
    classifier = LlamaForSequenceClassification(llama(num_hidden_layers=1, **CLASSES))
    write_classifier('llama-classifier', classifier, 205, torch.tensor([2, 0, 1]))


def others() -> None:
    write_causal('mistral', MistralForCausalLM(MistralConfig(**SIZES, head_dim=6, sliding_window=4)), 211)
    qwen2 = Qwen2Config(**SIZES, use_sliding_window=True, sliding_window=3, max_window_layers=1, tie_word_embeddings=True)
    write_causal('qwen2', Qwen2ForCausalLM(qwen2), 212)
    write_causal('qwen3', Qwen3ForCausalLM(Qwen3Config(**SIZES, head_dim=6, tie_word_embeddings=True)), 213)
    regression = Qwen3Config(**(SIZES | {'num_hidden_layers': 1}), head_dim=6, num_labels=1, problem_type='regression')
    write_classifier('qwen3-regression', Qwen3ForSequenceClassification(regression), 214, torch.tensor([0.5, -1.25, 3.0]))
    phi3 = SIZES | {'num_attention_heads': 2, 'num_key_value_heads': 1, 'num_hidden_layers': 1, 'partial_rotary_factor': 0.5}
    phi3['resid_pdrop'] = 0.1
    long = {'type': 'longrope', 'short_factor': [1.0, 1.5], 'long_factor': [2.0, 3.5]}
    write_causal('phi3', Phi3ForCausalLM(Phi3Config(**phi3, sliding_window=5)), 215)
    longrope = Phi3Config(**phi3, rope_scaling=dict(long), original_max_position_embeddings=32)
    write_causal('phi3-short', Phi3ForCausalLM(longrope), 216)
    longrope = Phi3Config(**phi3, rope_scaling=dict(long), original_max_position_embeddings=8)
    write_causal('phi3-long', Phi3ForCausalLM(longrope), 217, generates=False)


def gemmas() -> None:
    narrow = SIZES | {'head_dim': 6}
    write_causal('gemma', GemmaForCausalLM(GemmaConfig(**narrow)), 221)
    capped = {'attn_logit_softcapping': 2.0, 'final_logit_softcapping': 1.5}
    gemma2 = Gemma2Config(**narrow, **capped, query_pre_attn_scalar=10, sliding_window=4)
    write_causal('gemma2', Gemma2ForCausalLM(gemma2), 222)
    wide = {'query_pre_attn_scalar': 10, 'rope_theta': 1e4, 'rope_local_base_freq': 100.0} | scaled('linear', factor=8.0)
    types = ['sliding_attention', 'sliding_attention', 'full_attention']
    gemma3 = Gemma3TextConfig(**(narrow | {'num_hidden_layers': 3}), **wide, layer_types=types, sliding_window=4)
    write_causal('gemma3', Gemma3ForCausalLM(gemma3), 223)
    gemma3 = Gemma3TextConfig(**(narrow | {'num_hidden_layers': 1}), **wide, sliding_window=4, **CLASSES)
    write_classifier('gemma3-classifier', Gemma3TextForSequenceClassification(gemma3), 224, torch.tensor([1, 1, 0]))


def gpt2s() -> None:
    sizes = {**COMMON, 'n_embd': 16, 'n_head': 4, 'n_positions': 24}
    write_causal('gpt2', GPT2LMHeadModel(GPT2Config(**sizes, n_layer=2)), 231)
    inverse = GPT2Config(**sizes, n_layer=2, n_inner=24, scale_attn_by_inverse_layer_idx=True, **CLASSES)
    write_classifier('gpt2-classifier', GPT2ForSequenceClassification(inverse), 232, torch.tensor([0, 2, 1]))


def sampling() -> None:
    """Probabilities after Transformers' processors, one after the other in the order of its `generate`."""
    generator = torch.Generator().manual_seed(241)
    logits = 3 * torch.randn(20, generator=generator)
    logits[[4, 9]] = logits[7].clone()
    seen = [3, 7, 7, 12]
    makers = {
        'repetitionPenalty': RepetitionPenaltyLogitsProcessor,
        'temperature': TemperatureLogitsWarper,
        'topK': TopKLogitsWarper,
        'topP': TopPLogitsWarper,
        'minP': MinPLogitsWarper,
    }
    choices = [
        {'temperature': 0.7},
        {'temperature': 1.3, 'topK': 5},
        {'temperature': 1.0, 'topP': 0.8},
        {'temperature': 1.5, 'topP': 0.02},
        {'temperature': 1.2, 'minP': 0.1},
        {'temperature': 1.0, 'repetitionPenalty': 1.8},
        {'temperature': 0.9, 'topK': 12, 'topP': 0.9, 'minP': 0.05, 'repetitionPenalty': 1.3},
    ]
    cases = []
    for options in choices:
        scores = logits[None]
        for name, maker in makers.items():
            if name in options:
                scores = maker(options[name])(torch.tensor([seen]), scores)
        cases.append({'options': options, 'probabilities': scores.softmax(-1)[0]})
    write_json(folder('nn') / 'sampling.json', {'logits': logits, 'seen': seen, 'cases': cases})


def rope() -> None:
    """Frequencies and factors of real configurations, some at several lengths."""
    llama31 = scaled('llama3', factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=8192)
    qwen = scaled('yarn', factor=4.0, original_max_position_embeddings=32768)
    own = scaled('yarn', factor=8.0, attention_factor=1.2, truncate=False)
    deepseek = scaled('yarn', factor=40.0, mscale=1.0, mscale_all_dim=0.7)
    sizes = {'hidden_size': 256, 'num_attention_heads': 2, 'num_key_value_heads': 2, 'num_hidden_layers': 1}
    steps = torch.linspace(1, 2.5, 32).tolist()
    long = {'type': 'longrope', 'short_factor': steps, 'long_factor': [8 * step for step in steps]}
    reach = {'max_position_embeddings': 131072, 'original_max_position_embeddings': 4096}
    cases = [
        ('Llama 3.1', LlamaConfig(**sizes, **llama31, rope_theta=5e5, max_position_embeddings=131072), [4096]),
        ('Qwen 2.5, YaRN', Qwen2Config(**sizes, **qwen, rope_theta=1e6), [100]),
        ('YaRN with a factor of its own', LlamaConfig(**sizes, **own), [100]),
        ('YaRN as DeepSeek writes it', LlamaConfig(**sizes, **deepseek), [100]),
        ('dynamic', LlamaConfig(**sizes, **scaled('dynamic', factor=2.0), max_position_embeddings=2048), [500, 3000]),
        ('Gemma 3', Gemma3TextConfig(**sizes, head_dim=128, **scaled('linear', factor=8.0)), [100]),
        ('Phi-3.5', Phi3Config(**sizes, **reach, partial_rotary_factor=0.5, rope_scaling=long), [4096, 4097]),
    ]
    written = []
    for name, config, lengths in cases:
        kind = config.rope_scaling.get('rope_type') or config.rope_scaling['type']
        for length in lengths:
            frequencies, factor = ROPE_INIT_FUNCTIONS[kind](config, None, seq_len=length)
            fields = {key: value for key, value in config.to_dict().items() if key in ROPE_FIELDS}
            case = {'name': name, 'config': fields, 'length': length}
            written.append(case | {'factor': factor, 'frequencies': frequencies})
    write_json(folder('nn') / 'rope.json', {'cases': written})


def decoders() -> None:
    rope()
    llamas()
    others()
    gemmas()
    gpt2s()
    sampling()
