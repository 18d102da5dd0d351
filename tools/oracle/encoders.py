"""Tiny random encoders of every family and head, with the quirks of their real configurations; see models.write_model."""

from __future__ import annotations

import torch
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BertForTokenClassification,
    DebertaV2Config,
    DebertaV2ForMaskedLM,
    DebertaV2ForSequenceClassification,
    DebertaV2ForTokenClassification,
    DistilBertConfig,
    DistilBertForMaskedLM,
    DistilBertForSequenceClassification,
    DistilBertForTokenClassification,
    ModernBertConfig,
    ModernBertForMaskedLM,
    ModernBertForSequenceClassification,
    ModernBertForTokenClassification,
    RobertaConfig,
    RobertaForMaskedLM,
    RobertaForSequenceClassification,
    RobertaForTokenClassification,
)

from models import IGNORED, randomise, write_model
from store import folder, write_json

VOCABULARY, LENGTHS = 41, (11, 8, 3)
WIDTHS = {'vocab_size': VOCABULARY, 'hidden_size': 16, 'num_attention_heads': 2, 'intermediate_size': 24}
EAGER = {'attn_implementation': 'eager'}


def bert_config(layers: int, **more) -> BertConfig:
    return BertConfig(**WIDTHS, **EAGER, num_hidden_layers=layers, max_position_embeddings=16, **more)


def distilbert_config(layers: int, **more) -> DistilBertConfig:
    return DistilBertConfig(
        vocab_size=VOCABULARY, dim=16, n_heads=2, hidden_dim=24, n_layers=layers, max_position_embeddings=16, **EAGER, **more
    )


def roberta_config(layers: int, **more) -> RobertaConfig:
    """Room for 11 tokens after padding_idx + 1 positions, one token type, as in roberta-base."""
    return RobertaConfig(
        **WIDTHS, **EAGER, num_hidden_layers=layers, max_position_embeddings=13, type_vocab_size=1, layer_norm_eps=1e-5, **more
    )


def deberta_v3_config(layers: int, **more) -> DebertaV2Config:
    """As microsoft/deberta-v3-base: buckets, shared projections, normalised distances, no absolute positions."""
    return DebertaV2Config(
        **WIDTHS,
        **EAGER,
        num_hidden_layers=layers,
        max_position_embeddings=16,
        relative_attention=True,
        max_relative_positions=-1,
        position_buckets=4,
        norm_rel_ebd='layer_norm',
        share_att_key=True,
        pos_att_type='p2c|c2p',
        position_biased_input=False,
        type_vocab_size=0,
        pooler_hidden_act='gelu',
        **more,
    )


def deberta_plain_config(layers: int, **more) -> DebertaV2Config:
    """What v3 does not use: projections of their own, clipped distances, absolute positions and token types."""
    return DebertaV2Config(
        **WIDTHS,
        **EAGER,
        num_hidden_layers=layers,
        max_position_embeddings=16,
        relative_attention=True,
        max_relative_positions=5,
        share_att_key=False,
        pos_att_type=['c2p', 'p2c'],
        position_biased_input=True,
        type_vocab_size=2,
        **more,
    )


def modernbert_config(layers: int, **more) -> ModernBertConfig:
    """Local layers see two tokens to each side; the first and every third layer see all."""
    return ModernBertConfig(
        **WIDTHS,
        **EAGER,
        num_hidden_layers=layers,
        max_position_embeddings=32,
        local_attention=4,
        global_attn_every_n_layers=3,
        pad_token_id=2,
        bos_token_id=0,
        eos_token_id=1,
        cls_token_id=0,
        sep_token_id=1,
        reference_compile=False,
        **more,
    )


def inputs(seed: int, padding: int, types: bool = False) -> dict[str, torch.Tensor]:
    """Three rows of 11, 8 and 3 real tokens, padded on the right; the second segment begins in the middle of each."""
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.tensor(LENGTHS)
    position = torch.arange(max(LENGTHS))
    mask = (position < lengths[:, None]).long()
    ids = torch.randint(5, VOCABULARY, mask.shape, generator=generator)
    given = {'input_ids': torch.where(mask.bool(), ids, padding), 'attention_mask': mask}
    return given | ({'token_type_ids': ((position >= lengths[:, None] // 2) & mask.bool()).long()} if types else {})


def token_labels(given: dict[str, torch.Tensor], count: int) -> dict[str, torch.Tensor]:
    """A class for each real token but the first of a row."""
    labels = (given['input_ids'] * 7 % count).masked_fill(given['attention_mask'] == 0, IGNORED)
    labels[:, 0] = IGNORED
    return given | {'labels': labels}


def masked_labels(given: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Six tokens are replaced by 4, the mask's id, and are to be predicted."""
    chosen = torch.zeros_like(given['input_ids'], dtype=torch.bool)
    chosen[0, [1, 4, 9]] = chosen[1, [2, 5]] = chosen[2, 1] = True
    labels = given['input_ids'].masked_fill(~chosen, IGNORED)
    return given | {'input_ids': given['input_ids'].masked_fill(chosen, 4), 'labels': labels}


CLASSES = {'labels': torch.tensor([2, 0, 1])}
SEVERAL = {'labels': torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0], [1.0, 1.0, 1.0]])}
VALUES = {'labels': torch.tensor([[0.5, -1.0], [2.0, 0.25], [-1.5, 1.0]])}
SINGLE = {'num_labels': 3, 'problem_type': 'single_label_classification'}
MULTI = {'num_labels': 3, 'problem_type': 'multi_label_classification'}


def write(name: str, model: torch.nn.Module, seed: int, given: dict[str, torch.Tensor]) -> None:
    randomise(model, seed)
    write_model(name, model, given, {})


def bert() -> None:
    write('bert-tokens', BertForTokenClassification(bert_config(1, num_labels=4)), 41, token_labels(inputs(51, 0, True), 4))
    write('bert-multi-label', BertForSequenceClassification(bert_config(1, **MULTI)), 42, inputs(52, 0, True) | SEVERAL)


def distilbert() -> None:
    classifier = DistilBertForSequenceClassification(distilbert_config(2, **SINGLE))
    write('distilbert-classifier', classifier, 43, inputs(53, 0) | CLASSES)
    tokens = DistilBertForTokenClassification(distilbert_config(1, num_labels=4))
    write('distilbert-tokens', tokens, 44, token_labels(inputs(54, 0), 4))
    write('distilbert-masked-lm', DistilBertForMaskedLM(distilbert_config(1)), 45, masked_labels(inputs(55, 0)))


def roberta() -> None:
    classifier = RobertaForSequenceClassification(roberta_config(2, **SINGLE))
    write('roberta-classifier', classifier, 46, inputs(56, 1) | CLASSES)
    write('roberta-tokens', RobertaForTokenClassification(roberta_config(1, num_labels=4)), 47, token_labels(inputs(57, 1), 4))
    write('roberta-masked-lm', RobertaForMaskedLM(roberta_config(1)), 48, masked_labels(inputs(58, 1)))


def deberta() -> None:
    classifier = DebertaV2ForSequenceClassification(deberta_v3_config(2, **SINGLE))
    write('deberta-classifier', classifier, 61, inputs(71, 0) | CLASSES)
    plain = deberta_plain_config(2, num_labels=4)
    write('deberta-plain-tokens', DebertaV2ForTokenClassification(plain), 62, token_labels(inputs(72, 0, True), 4))
    write('deberta-masked-lm', DebertaV2ForMaskedLM(deberta_v3_config(1)), 63, masked_labels(inputs(73, 0)))
    values = DebertaV2ForSequenceClassification(deberta_v3_config(1, num_labels=2, problem_type='regression'))
    write('deberta-regression', values, 64, inputs(74, 0) | VALUES)
    buckets()


def buckets() -> None:
    """The numbers of the embeddings of distances 0 … 511 in deberta-v3-base: 256 buckets, at most 512 away."""
    from transformers.models.deberta_v2.modeling_deberta_v2 import make_log_bucket_position

    numbers = make_log_bucket_position(torch.arange(512), 256, 512).long().tolist()
    write_json(folder('nn') / 'deberta-buckets.json', {'buckets': numbers})


def modernbert() -> None:
    classifier = ModernBertForSequenceClassification(modernbert_config(4, classifier_pooling='mean', **SINGLE))
    write('modernbert-classifier', classifier, 65, inputs(75, 2) | CLASSES)
    several = ModernBertForSequenceClassification(modernbert_config(2, norm_bias=True, attention_bias=True, mlp_bias=True, **MULTI))
    write('modernbert-multi-label', several, 66, inputs(76, 2) | SEVERAL)
    tokens = ModernBertForTokenClassification(modernbert_config(2, num_labels=4))
    write('modernbert-tokens', tokens, 67, token_labels(inputs(77, 2), 4))
    write('modernbert-masked-lm', ModernBertForMaskedLM(modernbert_config(2)), 68, masked_labels(inputs(78, 2)))


def encoders() -> None:
    for family in (bert, distilbert, roberta, deberta, modernbert):
        family()
