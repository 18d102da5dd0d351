"""Files of other programs, written by their own libraries: GGUF, PyTorch pickles, tokenizers of every type."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import numpy as np
import sentencepiece
import torch
from gguf import GGMLQuantizationType as Q
from gguf import GGML_QUANT_SIZES, MODEL_ARCH_NAMES, GGUFReader, GGUFWriter, dequantize, get_tensor_name_map, quantize
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from jinja2.exceptions import TemplateError
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    BertTokenizerFast,
    DebertaV2TokenizerFast,
    GPT2Tokenizer,
    GPT2TokenizerFast,
    LlamaTokenizerFast,
    PreTrainedTokenizerFast,
    RobertaTokenizer,
    RobertaTokenizerFast,
)
from transformers.modeling_gguf_pytorch_utils import TENSOR_PROCESSORS, TensorProcessor

from store import folder, write_json, write_tensors

BLOCKS = ['F32', 'F16', 'BF16', 'Q8_0', 'Q4_0', 'Q4_1', 'Q5_0', 'Q5_1', 'Q4_K', 'Q5_K', 'Q6_K']

# Places of the f16 scales in a block, for the types that the library cannot quantise.
SCALES = {'Q4_K': (0, 2), 'Q5_K': (0, 2), 'Q6_K': (208,)}


def blocks() -> None:
    """One tensor of every element type [3, 256], and what it holds."""
    rng = np.random.default_rng(1)
    source = rng.standard_normal((3, 256)).astype(np.float32)
    source[2] = 0
    source[1, :32] *= 1e-3
    path = folder('hub', 'gguf') / 'blocks.gguf'
    writer = GGUFWriter(path, 'llama')
    writer.add_uint32('test.u32', 7)
    writer.add_float64('test.f64', 0.1)
    writer.add_array('test.nested', ['a', 'β'])
    writer.add_int64('test.i64', -(2**62))
    writer.add_array('test.numbers', [1, -2, 3])
    values = {'source': torch.from_numpy(source)}
    for name in BLOCKS:
        kind = Q[name]
        data = packed(rng, name) if name in SCALES else quantize(source, kind)
        values[name] = torch.from_numpy(dequantize(data, kind).reshape(3, 256))
        if name == 'F32' or name == 'F16':
            writer.add_tensor(name, data)
        else:
            writer.add_tensor(name, data.view(np.uint8), raw_dtype=kind)
    finish(writer)
    write_tensors(folder('hub', 'gguf') / 'blocks.safetensors', values)


def packed(rng: np.random.Generator, name: str) -> np.ndarray:
    """Random blocks with finite scales, both signs."""
    _, size = GGML_QUANT_SIZES[Q[name]]
    data = rng.integers(0, 256, (3, size), dtype=np.uint8)
    for at in SCALES[name]:
        data[:, at : at + 2] = rng.standard_normal(3).astype(np.float16).view(np.uint8).reshape(3, 2)
    return data


def finish(writer: GGUFWriter) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


SIZES = dict(
    vocab_size=12,
    hidden_size=32,
    intermediate_size=32,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=8,
    max_position_embeddings=64,
    rope_theta=50000.0,
    rms_norm_eps=1e-5,
    pad_token_id=0,
    bos_token_id=1,
    eos_token_id=2,
)

SMALLER = dict(hidden_size=16, head_dim=4, intermediate_size=16)

LLAMA3 = dict(
    rope_type='llama3',
    factor=8.0,
    low_freq_factor=1.0,
    high_freq_factor=4.0,
    original_max_position_embeddings=8192,
)

# model_type: GGUF architecture, configuration, keys to compare beside the sizes
MODELS = {
    'llama': ('llama', dict(tie_word_embeddings=False, rope_scaling=LLAMA3), ['rope_scaling']),
    'qwen2': ('qwen2', dict(tie_word_embeddings=True), []),
    'qwen3': ('qwen3', dict(tie_word_embeddings=True), []),
    'phi3': ('phi3', dict(tie_word_embeddings=False, num_attention_heads=4), []),
    'gemma2': (
        'gemma2',
        dict(sliding_window=16, query_pre_attn_scalar=4, attn_logit_softcapping=50.0, final_logit_softcapping=30.0),
        ['sliding_window', 'query_pre_attn_scalar', 'attn_logit_softcapping', 'final_logit_softcapping'],
    ),
    'gemma3_text': ('gemma3', dict(sliding_window=16, query_pre_attn_scalar=4), ['sliding_window', 'query_pre_attn_scalar']),
    'gpt2': ('gpt2', dict(n_embd=16, n_layer=2, n_head=4, n_positions=64, n_inner=24, vocab_size=12), []),
}

KEYS = {
    'context_length': 'max_position_embeddings',
    'embedding_length': 'hidden_size',
    'block_count': 'num_hidden_layers',
    'feed_forward_length': 'intermediate_size',
    'attention.head_count': 'num_attention_heads',
    'attention.head_count_kv': 'num_key_value_heads',
    'attention.key_length': 'head_dim',
    'attention.sliding_window': 'sliding_window',
}

FLOATS = {
    'attention.layer_norm_rms_epsilon': 'rms_norm_eps',
    'rope.freq_base': 'rope_theta',
    'attn_logit_softcapping': 'attn_logit_softcapping',
    'final_logit_softcapping': 'final_logit_softcapping',
}


def gguf_models() -> None:
    """A tiny random model of each architecture as GGUF (names by gguf-py), its configuration and its weights."""
    for model_type in MODELS:
        one_model(model_type)


def one_model(model_type: str) -> None:
    arch, extra, more = MODELS[model_type]
    torch.manual_seed(3)
    small = {} if model_type == 'llama' else SMALLER  # blocks of 32 are for one model enough
    sizes = {} if model_type == 'gpt2' else {k: v for k, v in {**SIZES, **small}.items() if model_type != 'phi3' or k != 'head_dim'}
    config = AutoConfig.for_model(model_type, **{**sizes, **extra, 'pad_token_id': 0})
    model = AutoModelForCausalLM.from_config(config).eval()
    state = {k: v.detach() + 0.02 * torch.randn_like(v) for k, v in model.state_dict().items()}
    if config.tie_word_embeddings:
        state.pop('lm_head.weight', None)
    path = folder('hub', 'gguf') / f'{arch}.gguf'
    writer = GGUFWriter(path, arch)
    write_config(writer, config, arch)
    mapping = get_tensor_name_map(next(a for a, n in MODEL_ARCH_NAMES.items() if n == arch), 2)
    expected = {}
    for name, value in state.items():
        stem, ending = name.rsplit('.', 1)
        stored = f'{mapping.get_name(stem)}.{ending}'
        data, expected[name] = convert(stored, value, arch, config)
        writer.add_tensor(stored, *data)
    if model_type == 'llama':
        writer.add_tensor('rope_freqs.weight', llama3_factors(config))
    finish(writer)
    confirm(path, arch, expected)
    write_tensors(path.with_suffix('.safetensors'), expected)
    keys = [k for k in [*SIZES, *more, 'tie_word_embeddings', 'model_type'] if not model_type.startswith('gpt2')]
    keys = keys or ['n_embd', 'n_layer', 'n_head', 'n_positions', 'n_inner', 'vocab_size', 'layer_norm_epsilon', 'model_type']
    record = {k: getattr(config, k) for k in keys if getattr(config, k, None) is not None}
    write_json(path.with_suffix('.json'), record)


def write_config(writer: GGUFWriter, config, arch: str) -> None:
    get = lambda key: getattr(config, key, None)  # noqa: E731
    for key, name in KEYS.items():
        if get(name) is not None and arch != 'gpt2' and not (name == 'sliding_window' and not arch.startswith('gemma')):
            writer.add_uint32(f'{arch}.{key}', int(get(name)))
    for key, name in FLOATS.items():
        if get(name) is not None and arch != 'gpt2':
            writer.add_float32(f'{arch}.{key}', float(get(name)))
    if arch == 'gpt2':
        for key, name in dict(context_length='n_positions', embedding_length='n_embd', block_count='n_layer', feed_forward_length='n_inner').items():
            writer.add_uint32(f'gpt2.{key}', get(name))
        writer.add_uint32('gpt2.attention.head_count', config.n_head)
        writer.add_float32('gpt2.attention.layer_norm_epsilon', config.layer_norm_epsilon)
    if arch == 'phi3':
        writer.add_uint32('phi3.rope.dimension_count', config.hidden_size // config.num_attention_heads)
    for name in ('bos', 'eos'):
        writer.add_uint32(f'tokenizer.ggml.{name}_token_id', get(f'{name}_token_id'))
    writer.add_uint32('tokenizer.ggml.padding_token_id', 0)


def convert(stored: str, value: torch.Tensor, arch: str, config):
    """As convert_hf_to_gguf.py does; matrices of llama become Q8_0."""
    weight = value.clone()
    if arch == 'llama' and ('attn_q.' in stored or 'attn_k.' in stored):
        heads = config.num_attention_heads if 'attn_q' in stored else config.num_key_value_heads
        weight = weight.reshape(heads, 2, weight.shape[0] // heads // 2, *weight.shape[1:]).swapaxes(1, 2).reshape(weight.shape)
    if arch.startswith('gemma') and stored.endswith('norm.weight'):
        weight = weight + 1
    if arch == 'gpt2' and stored.endswith(('attn_qkv.weight', 'attn_output.weight', 'ffn_up.weight', 'ffn_down.weight')):
        weight = weight.T
    if arch == 'llama' and weight.ndim == 2:
        data = quantize(weight.contiguous().numpy(), Q.Q8_0)
        weight = torch.from_numpy(dequantize(data, Q.Q8_0))
        return (data, None, Q.Q8_0), unconvert(stored, weight, config)
    return (weight.contiguous().numpy(),), value if not arch.startswith('gemma') or not stored.endswith('norm.weight') else weight - 1


def unconvert(stored: str, weight: torch.Tensor, config) -> torch.Tensor:
    if 'attn_q.' not in stored and 'attn_k.' not in stored:
        return weight
    heads = config.num_attention_heads if 'attn_q' in stored else config.num_key_value_heads
    return weight.reshape(heads, weight.shape[0] // heads // 2, 2, weight.shape[1]).swapaxes(1, 2).reshape(weight.shape)


def llama3_factors(config) -> np.ndarray:
    """convert_hf_to_gguf.py, LlamaModel.generate_extra_tensors."""
    scaling = config.rope_scaling
    low, high = 8192 / scaling['low_freq_factor'], 8192 / scaling['high_freq_factor']
    factors = []
    for freq in 1.0 / (config.rope_theta ** (torch.arange(0, 8, 2, dtype=torch.float32) / 8)):
        wave = 2 * np.pi / freq
        smooth = (8192 / wave - scaling['low_freq_factor']) / (scaling['high_freq_factor'] - scaling['low_freq_factor'])
        factors.append(1 if wave < high else scaling['factor'] if wave > low else 1 / ((1 - smooth) / scaling['factor'] + smooth))
    return np.array(factors, dtype=np.float32)


def confirm(path: Path, arch: str, expected: dict[str, torch.Tensor]) -> None:
    """Transformers must read the same weights from the file."""
    heads = {'num_attention_heads': 4, 'num_key_value_heads': 2}
    processor = TENSOR_PROCESSORS.get(arch, TensorProcessor)(config=heads)
    seen = 0
    for tensor in GGUFReader(path).tensors:
        result = processor.process(weights=dequantize(tensor.data, tensor.tensor_type), name=tensor.name, parsed_parameters={'tensors': {}})
        weights = torch.from_numpy(np.array(result.weights))
        if any(value.shape == weights.shape and torch.allclose(value, weights, atol=1e-6) for value in expected.values()):
            seen += 1
    assert seen == len(expected), (arch, seen, len(expected))


CORPUS = """The quick brown fox jumps over the lazy dog. Don't stop: it's 2024, and there're 1234567 foxes!
A tiny corpus is enough to learn a tiny vocabulary, and a tiny vocabulary is enough to test a tokenizer.
def main(argument, other):\n    return argument + other  # adds two numbers\n\n    print('hello world')
Ein Fuchs springt über den faulen Hund. O rato roeu a roupa do rei de Roma. El niño comió una manzana.
Words repeat, words repeat, and repeated words are merged: the lower, the lowest, the newer, the newest, wider, widest.
She said: "I'll go, you're late, we've waited, he'd know." HTTPServer XMLParser camelCase
"""

TEXTS = [
    'The quick brown fox jumps over the lazy dog.',
    "Don't stop: it's 2024, THEY'LL know 1234567 things!",
    '  two spaces,   three\n\nlines\t\ttabs \r\n end ',
    'naïve café über 世界 🤗 \u00e9 e\u0301',
    'lowest newest <|end|>after<|user|> <extra>token</s>',
    '½ cup, x³ and ٣٤ or Ⅻ, 12,5\u0085end',
    'x',
    '',
    'def main(argument): return HTTPServer',
]


def bpe(pre, normalizer=None, size: int = 360) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=size, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), special_tokens=['<|end|>', '<|user|>'], show_progress=False)
    tokenizer.train_from_iterator(CORPUS.split('\n'), trainer)
    return tokenizer


def byte_level(**options):
    return pre_tokenizers.ByteLevel(add_prefix_space=False, **options)


def split(pattern: str):
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), 'isolated'), byte_level(use_regex=False)])


# As in the tokenizer.json files of Llama 3 and Qwen2.
LLAMA3_SPLIT = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2_SPLIT = LLAMA3_SPLIT.replace('{1,3}', '')


def gguf_tokenizers() -> None:
    """Vocabularies inside GGUF files, and the ids that the original tokenizers give."""
    ways = {
        'gpt-2': bpe(byte_level()),
        'smollm': bpe(pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), byte_level()])),
        'llama-bpe': bpe(split(LLAMA3_SPLIT)),
        'qwen2': bpe(split(QWEN2_SPLIT), normalizers.NFC()),
    }
    for pre, tokenizer in ways.items():
        path = folder('hub', 'gguf') / f'tokenizer-{pre}.gguf'
        writer = GGUFWriter(path, 'llama')
        vocabulary = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
        writer.add_tokenizer_model('gpt2')
        writer.add_tokenizer_pre(pre)
        writer.add_token_list([token for token, _ in vocabulary])
        writer.add_token_types([3 if token.startswith('<|') else 1 for token, _ in vocabulary])
        merges = json.loads(tokenizer.to_str())['model']['merges']
        writer.add_token_merges([' '.join(merge) for merge in merges])
        writer.add_bos_token_id(0)
        writer.add_eos_token_id(1)
        writer.add_add_bos_token(False)
        writer.add_chat_template('{{ messages[0].content }}')
        finish(writer)
        write_json(path.with_suffix('.json'), cases(lambda text: tokenizer.encode(text).ids, lambda ids: tokenizer.decode(ids, skip_special_tokens=False)))
    pieces()


def cases(encode, decode) -> dict:
    return {'cases': [{'text': text, 'ids': list(encode(text)), 'decoded': decode(list(encode(text)))} for text in TEXTS]}


def pieces() -> None:
    """A SentencePiece BPE vocabulary with bytes; the ids are SentencePiece's own."""
    for prefix in (True, False):
        out = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(CORPUS.split('\n')),
            model_writer=out,
            vocab_size=420,
            model_type='bpe',
            byte_fallback=True,
            add_dummy_prefix=prefix,
            normalization_rule_name='identity',
            remove_extra_whitespaces=False,
            user_defined_symbols=['<|user|>'],
            split_digits=True,
            minloglevel=2,
        )
        model = sentencepiece.SentencePieceProcessor(model_proto=out.getvalue())
        count = model.get_piece_size()
        path = folder('hub', 'gguf') / f'tokenizer-pieces{"" if prefix else "-plain"}.gguf'
        writer = GGUFWriter(path, 'llama')
        writer.add_tokenizer_model('llama')
        writer.add_tokenizer_pre('default')
        writer.add_token_list([model.id_to_piece(i) for i in range(count)])
        writer.add_token_scores([model.get_score(i) for i in range(count)])
        writer.add_token_types([kind(model, i) for i in range(count)])
        writer.add_unk_token_id(0)
        writer.add_bos_token_id(1)
        writer.add_eos_token_id(2)
        if not prefix:
            writer.add_add_space_prefix(False)
        finish(writer)
        texts = [text for text in TEXTS if '</s>' not in text]
        record = [{'text': text, 'ids': [1, *model.encode(text)], 'decoded': model.decode(model.encode(text))} for text in texts]
        write_json(path.with_suffix('.json'), {'cases': record})


def kind(model: sentencepiece.SentencePieceProcessor, i: int) -> int:
    if model.is_unknown(i):
        return 2
    if model.is_control(i):
        return 3
    if model.is_byte(i):
        return 6
    return 4 if model.id_to_piece(i) == '<|user|>' else 1


def pickles() -> None:
    """State dicts as torch.save writes them, and the same tensors as safetensors."""
    torch.manual_seed(5)
    base = torch.randn(4, 6)
    state = {
        'f32': torch.randn(3, 5),
        'parameter': torch.nn.Parameter(torch.randn(2, 2)),
        'f16': torch.randn(7).half(),
        'bf16': torch.randn(2, 3).bfloat16(),
        'f64': torch.randn(3).double(),
        'i64': torch.tensor([-5, 7, 2**31 - 1]),
        'i32': torch.tensor([[1, -2]], dtype=torch.int32),
        'i16': torch.tensor([300, -4], dtype=torch.int16),
        'i8': torch.tensor([1, -2], dtype=torch.int8),
        'u8': torch.tensor([1, 255], dtype=torch.uint8),
        'bool': torch.tensor([True, False, True]),
        'transposed': base.T,
        'slice': base[1:3, ::2],
        'scalar': torch.tensor(2.5),
        'empty': torch.zeros(0, 3),
        'ünicode.name': torch.ones(2),
    }
    to = folder('hub', 'pickle')
    torch.save(state, to / 'state.pt')
    module = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.LayerNorm(2))
    torch.save({'epoch': 3, 'state_dict': module.state_dict(), 'optimizer': {'lr': 0.1}}, to / 'checkpoint.bin')
    write_tensors(to / 'state.safetensors', {name: value.detach() for name, value in state.items()})
    write_tensors(to / 'checkpoint.safetensors', dict(module.state_dict()))
    torch.save({'weight': torch.ones(2), 'evil': Evil()}, to / 'evil.bin')
    torch.save(state['f32'], to / 'bare.pt')
    if not (to / 'legacy.pt').exists():  # it holds addresses
        torch.save({'f32': state['f32']}, to / 'legacy.pt', _use_new_zipfile_serialization=False)


class Evil:
    """Would run a command in a reader that runs code."""

    def __reduce__(self):
        return os.system, ('touch evil-was-here',)


def tokenizers_of_each_type() -> None:
    """tokenizer.json of every model type, with ids of texts, pairs and truncated pairs by the Python library."""
    to = folder('hub', 'tokenizers')
    for name, train in TYPES.items():
        path = to / f'{name}.json'
        if not path.exists():  # training breaks ties at random
            train().save(str(path), pretty=False)
        tokenizer = Tokenizer.from_file(str(path))
        record = {
            'single': [{'text': text, **encoding(tokenizer, text)} for text in TEXTS],
            'pairs': [encoding(tokenizer, TEXTS[0], text) for text in TEXTS],
            'truncated': [truncated(tokenizer, *case) for case in TRUNCATIONS],
        }
        write_json(to / f'{name}.golden.json', record)


TRUNCATIONS = [
    (strategy, side, length, first, second)
    for strategy in ('longest_first', 'only_first', 'only_second')
    for side in ('right', 'left')
    for length, first, second in ((16, 0, 1), (17, 1, 0), (16, 8, 0))
]


def encoding(tokenizer: Tokenizer, *texts: str) -> dict:
    result = tokenizer.encode(*texts)
    return {'ids': result.ids, 'typeIds': result.type_ids, 'decoded': tokenizer.decode(result.ids, skip_special_tokens=True)}


def truncated(tokenizer: Tokenizer, strategy: str, side: str, length: int, first: int, second: int) -> dict:
    tokenizer.enable_truncation(length, strategy=strategy, direction=side)
    try:
        ids = tokenizer.encode(TEXTS[first], TEXTS[second]).ids
    except Exception:  # the strategy's text is too short
        ids = None
    tokenizer.no_truncation()
    return {'strategy': strategy, 'side': side, 'length': length, 'texts': [TEXTS[first], TEXTS[second]], 'ids': ids}


def byte_level_type() -> Tokenizer:
    tokenizer = bpe(byte_level(), size=330)
    tokenizer.post_processor = processors.RobertaProcessing(sep=('<|end|>', 0), cls=('<|user|>', 1))
    return tokenizer


def byte_fallback_type() -> Tokenizer:
    special = ['<unk>', '<s>', '</s>', *[f'<0x{i:02X}>' for i in range(256)]]
    tokenizer = Tokenizer(models.BPE(unk_token='<unk>', byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend('▁'), normalizers.Replace(' ', '▁')])
    tokenizer.train_from_iterator(CORPUS.split('\n'), trainers.BpeTrainer(vocab_size=420, special_tokens=special, show_progress=False))
    record = json.loads(tokenizer.to_str())
    record['added_tokens'] = record['added_tokens'][:3]
    tokenizer = Tokenizer.from_str(json.dumps(record))
    tokenizer.decoder = decoders.Sequence([decoders.Replace('▁', ' '), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(' ', 1, 0)])
    tokenizer.post_processor = processors.TemplateProcessing(single='<s> $A', pair='<s> $A <s> $B:1', special_tokens=[('<s>', 1)])
    return tokenizer


def unigram_type() -> Tokenizer:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=180, unk_token='<unk>', special_tokens=['<unk>', '<s>', '</s>'], show_progress=False)
    tokenizer.train_from_iterator(CORPUS.split('\n'), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single='$A </s>', pair='$A </s> $B </s>', special_tokens=[('</s>', 2)])
    return tokenizer


def wordpiece_type() -> Tokenizer:
    tokenizer = Tokenizer(models.WordPiece(unk_token='[UNK]'))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece(cleanup=False)
    special = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]']
    tokenizer.train_from_iterator(CORPUS.split('\n'), trainers.WordPieceTrainer(vocab_size=220, special_tokens=special, show_progress=False))
    tokenizer.post_processor = processors.TemplateProcessing(single='[CLS] $A [SEP]', pair='[CLS] $A [SEP] $B:1 [SEP]:1', special_tokens=[('[CLS]', 2), ('[SEP]', 3)])
    return tokenizer


def wordlevel_type() -> Tokenizer:
    return word_level(pre_tokenizers.Whitespace())


def signs_type() -> Tokenizer:
    return word_level(pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation()]))


def word_level(pre) -> Tokenizer:
    tokenizer = Tokenizer(models.WordLevel(unk_token='[UNK]'))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre
    trainer = trainers.WordLevelTrainer(vocab_size=150, special_tokens=['[UNK]', '[CLS]', '[SEP]'], show_progress=False)
    tokenizer.train_from_iterator(CORPUS.split('\n'), trainer)
    tokenizer.post_processor = processors.BertProcessing(sep=('[SEP]', 2), cls=('[CLS]', 1))
    return tokenizer


CHATML = """{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system
You are helpful<|im_end|>
' }}{% endif %}{{'<|im_start|>' + message['role'] + '
' + message['content'] + '<|im_end|>' + '
'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant
' }}{% endif %}"""

HEADERS = """{{- bos_token }}
{%- for message in messages %}
    {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' + message['content'] | trim + '<|eot_id|>' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}"""

TURNS = """{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}
{%- for message in messages %}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Roles must alternate') }}{% endif %}
    {%- if message['role'] == 'assistant' %}{% set role = 'model' %}{% else %}{% set role = message['role'] %}{% endif %}
    {{- '<start_of_turn>' + role + '\\n' + message['content'] | trim + '<end_of_turn>\\n' }}
{%- endfor %}{% if add_generation_prompt %}{{ '<start_of_turn>model\\n' }}{% endif %}"""

TOOLS = """{%- if tools %}# Tools
{%- for tool in tools %}
{{ tool | tojson }}
{%- endfor %}
{% endif %}
{%- set ns = namespace(count=0) %}
{%- for message in messages %}{% set ns.count = ns.count + 1 %}
[{{ ns.count }}] {{ message.role | upper }}: {{ message.content }}{% if message.tool_calls is defined %} -> {{ message.tool_calls | length }} calls{% endif %}{{ eos_token if loop.last }}
{%- endfor %}"""

USER = {'role': 'user', 'content': '  What is 2 + 2? '}
ANSWER = {'role': 'assistant', 'content': '4'}
SYSTEM = {'role': 'system', 'content': 'Be brief.'}
CONVERSATIONS = [[USER], [SYSTEM, USER], [USER, ANSWER, USER], [SYSTEM, USER, {**ANSWER, 'tool_calls': [1, 2]}]]
TOOL = {'type': 'function', 'function': {'name': 'add', 'parameters': {'a': 'number', 'b': "<number & 'x'>"}}}


def chats() -> None:
    """Conversations as Transformers renders them; null where the template refuses."""
    cases = []
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=wordlevel_type(), bos_token='<s>', eos_token='</s>')
    for name, template in {'chatml': CHATML, 'headers': HEADERS, 'turns': TURNS, 'tools': TOOLS}.items():
        for messages in CONVERSATIONS:
            for prompt in (True, False):
                tools = [TOOL] if name == 'tools' and prompt else None
                try:
                    text = tokenizer.apply_chat_template(messages, chat_template=template, tools=tools, add_generation_prompt=prompt, tokenize=False)
                except TemplateError:
                    text = None
                cases.append({'template': name, 'messages': messages, 'addGenerationPrompt': prompt, 'tools': tools, 'text': text})
    write_json(folder('hub', 'tokenizers') / 'chat.golden.json', {'templates': {'chatml': CHATML, 'headers': HEADERS, 'turns': TURNS, 'tools': TOOLS}, 'cases': cases})


TYPES = {
    'bpe-byte-level': byte_level_type,
    'bpe-byte-fallback': byte_fallback_type,
    'unigram': unigram_type,
    'wordpiece': wordpiece_type,
    'wordlevel': wordlevel_type,
    'wordlevel-signs': signs_type,
}


def older_tokenizers() -> None:
    """Folders without tokenizer.json, and the ids of the fast tokenizers that Transformers makes of them."""
    bert = vocabulary_folder('bert', {'tokenizer_class': 'BertTokenizer', 'do_lower_case': True})
    words = Tokenizer.from_file(str(folder('hub', 'tokenizers') / 'wordpiece.json')).get_vocab()
    (bert / 'vocab.txt').write_text('\n'.join(sorted(words, key=words.get)) + '\n')
    older(BertTokenizerFast.from_pretrained(bert), bert)

    for name, slow in (('gpt2', GPT2Tokenizer), ('roberta', RobertaTokenizer)):
        to = vocabulary_folder(name, {'tokenizer_class': slow.__name__})
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = byte_level()
        special = ['<s>', '<pad>', '</s>', '<unk>', '<mask>'] if name == 'roberta' else ['<|endoftext|>']
        tokenizer.train_from_iterator(CORPUS.split('\n'), trainers.BpeTrainer(vocab_size=330, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), special_tokens=special, show_progress=False))
        tokenizer.model.save(str(to))
        older((RobertaTokenizerFast if name == 'roberta' else GPT2TokenizerFast).from_pretrained(to), to)

    deberta = vocabulary_folder('deberta-v2', {'tokenizer_class': 'DebertaV2Tokenizer', 'do_lower_case': False})
    sentencepiece_file(deberta / 'spm.model', 'unigram', 120, pad_id=0, bos_id=1, eos_id=2, unk_id=3, pad_piece='[PAD]', bos_piece='[CLS]', eos_piece='[SEP]', unk_piece='[UNK]')
    older(DebertaV2TokenizerFast.from_pretrained(deberta), deberta)

    llama = vocabulary_folder('llama', {'tokenizer_class': 'LlamaTokenizer', 'legacy': True})
    sentencepiece_file(llama / 'tokenizer.model', 'bpe', 420, byte_fallback=True, split_digits=True, remove_extra_whitespaces=False)
    older(LlamaTokenizerFast.from_pretrained(llama, legacy=True), llama)


def vocabulary_folder(model_type: str, config: dict) -> Path:
    to = folder('hub', 'tokenizers', model_type)
    (to / 'config.json').write_text(json.dumps({'model_type': model_type}) + '\n')
    (to / 'tokenizer_config.json').write_text(json.dumps(config) + '\n')
    return to


def sentencepiece_file(path: Path, kind: str, size: int, **options) -> None:
    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(CORPUS.split('\n')), model_writer=out, vocab_size=size, model_type=kind, normalization_rule_name='identity', minloglevel=2, **options)
    path.write_bytes(out.getvalue())


def older(fast, to: Path) -> None:
    # Transformers takes an empty second text for none.
    pairs = [fast.backend_tokenizer.encode(TEXTS[0], text) for text in TEXTS]
    record = {
        'single': [{'text': text, 'ids': fast(text).input_ids} for text in TEXTS],
        'pairs': [{'ids': pair.ids, 'typeIds': pair.type_ids} for pair in pairs],
        'special': {name: getattr(fast, f'{name}_token_id') for name in ('pad', 'bos', 'eos', 'unk', 'cls', 'sep', 'mask')},
    }
    write_json(to / 'golden.json', record)


def files() -> None:
    blocks()
    gguf_models()
    gguf_tokenizers()
    pickles()
    tokenizers_of_each_type()
    chats()
    older_tokenizers()
