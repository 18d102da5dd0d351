"""The step of minilm-step.mjs in PyTorch on the CPU: argument 1 is null (full) or a list of layers for LoRA, 2 the steps.

Prints the milliseconds of each step after two warm-up steps as a JSON list. Threads: as many as the machine has cores.
"""

import json
import os
import sys
import time

import torch
from transformers import BertConfig, BertForSequenceClassification

layers, steps = json.loads(sys.argv[1]), int(sys.argv[2])
torch.set_num_threads(os.cpu_count())
config = BertConfig(
    vocab_size=30522, hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536,
    hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, num_labels=2,
)
model = BertForSequenceClassification(config)
if layers is not None:
    from peft import LoraConfig, get_peft_model

    lora = LoraConfig(
        r=8, lora_alpha=16, target_modules=["query", "value"], layers_to_transform=layers, modules_to_save=["classifier"]
    )
    model = get_peft_model(model, lora)
model.train()
parameters = [p for p in model.parameters() if p.requires_grad]
optimizer = torch.optim.AdamW(parameters, lr=1e-4)
ids = torch.tensor([[5 + (b * 31 + t * 7) % 30000 for t in range(64)] for b in range(16)])
labels = torch.tensor([b % 2 for b in range(16)])
times = []
for _ in range(steps + 2):
    start = time.perf_counter()
    optimizer.zero_grad()
    loss = model(input_ids=ids, attention_mask=torch.ones_like(ids), labels=labels).loss
    loss.backward()
    optimizer.step()
    loss.item()
    times.append(1000 * (time.perf_counter() - start))
print(json.dumps(times[2:]))
