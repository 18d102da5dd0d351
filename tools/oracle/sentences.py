"""Goldens of sentence-transformers itself: 100 embeddings of all-MiniLM-L6-v2, and every kind of pooling on small numbers."""

from __future__ import annotations

import torch

from minilm import SENTENCES, model_folder
from store import folder, write_json, write_tensors

SUBJECTS = ['The committee', 'A small dog', 'Every engineer', 'Nobody', 'My grandmother', 'The old lighthouse', 'Ana']
VERBS = ['rejected', 'quietly repaired', 'sang about', 'will never sell', 'photographed', 'forgot']
OBJECTS = ['the proposal', 'a broken radio', 'seventeen oranges', 'the moon over São Paulo', 'its own shadow']
ENDINGS = ['.', '!', ' because it rained.', ', didn’t she?', ' — at 3:45 a.m., for €12.', ' in spite of everything we had said']


def sentences() -> list[str]:
    """Short and long, with accents, numbers and punctuation; the last two are cut at 256 tokens."""
    made = [
        f'{SUBJECTS[i % 7]} {VERBS[i % 6]} {OBJECTS[(i // 2) % 5]}{ENDINGS[(i // 3) % 6]}' + (' ' + SENTENCES[i % 5]) * (i % 4)
        for i in range(92)
    ]
    return [*SENTENCES, *made, ' '.join(made[:40]), 'very ' * 400 + 'long']


def embeddings() -> None:
    """In f16: the rounding changes a cosine by 1e-7."""
    from sentence_transformers import SentenceTransformer

    texts = sentences()
    model = SentenceTransformer(str(model_folder()), device='cpu')
    vectors = model.encode(texts, batch_size=10, convert_to_tensor=True)
    path = folder('finetune')
    write_json(path / 'minilm-sentences.json', {'sentences': texts})
    write_tensors(path / 'minilm-sentences.safetensors', {'embeddings': vectors.half()})


def poolings() -> None:
    """Hidden states [3, 5, 4]; rows of 5, 3 and 1 real tokens."""
    from sentence_transformers.models import Pooling

    hidden = torch.randn(3, 5, 4, generator=torch.Generator().manual_seed(91))
    mask = (torch.arange(5) < torch.tensor([[5], [3], [1]])).long()
    names = ['cls_token', 'max_tokens', 'mean_tokens', 'mean_sqrt_len_tokens', 'weightedmean_tokens', 'lasttoken']

    def pooled(*chosen: str) -> torch.Tensor:
        modes = {f'pooling_mode_{name}': name in chosen for name in names}
        given = {'token_embeddings': hidden.clone(), 'attention_mask': mask}
        return Pooling(4, **modes)(given)['sentence_embedding']

    record = {name: pooled(name) for name in names} | {'all': pooled(*names)}
    write_json(folder('nn') / 'sentence-poolings.json', {'hidden': hidden, 'mask': mask, 'pooled': record})
