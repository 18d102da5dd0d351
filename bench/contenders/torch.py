"""PyTorch on the CPU as a contender of the bench: `python torch.py THREADS`. Speaks the line protocol of harness/serve.mjs."""

import json
import math
import resource
import sys
import time

import numpy as np

sys.path.pop(0)  # this file's own folder, where `import torch` would find this file
import torch  # noqa: E402

torch.set_num_threads(int(sys.argv[1]))


def milliseconds(action):
    start = time.perf_counter()
    value = action()
    return 1000 * (time.perf_counter() - start), value


def mix(x):
    x = (x ^ (x >> np.uint32(16))) * np.uint32(0x45D9F3B)
    x = (x ^ (x >> np.uint32(16))) * np.uint32(0x45D9F3B)
    return x ^ (x >> np.uint32(16))


def normals(size, deviation, stream):
    """The numbers of programs/numbers.mjs."""
    start = np.uint32((stream + 1) * 0x9E3779B9 & 0xFFFFFFFF)
    at = start + np.uint32(2) * np.arange(size, dtype=np.uint32)
    u = (mix(at).astype(np.float64) + 0.5) / 2**32
    v = mix(at + np.uint32(1)).astype(np.float64) / 2**32
    return torch.from_numpy((deviation * np.sqrt(-2 * np.log(u)) * np.cos(2 * math.pi * v)).astype(np.float32))


def matmul(p):
    m, k, n, layout = p["m"], p["k"], p["n"], p["layout"]
    a = torch.randn(k, m).T if layout[0] == "T" else torch.randn(m, k)
    b = torch.randn(n, k).T if layout[1] == "T" else torch.randn(k, n)
    return lambda: (a @ b, None)[1]


def mlp(_):
    sizes = [784, 512, 512, 10]
    layers = []
    for i in range(3):
        layer = torch.nn.Linear(sizes[i], sizes[i + 1])
        with torch.no_grad():
            layer.weight.copy_(normals(sizes[i] * sizes[i + 1], math.sqrt(2 / sizes[i]), i).view(sizes[i], -1).T)
            layer.bias.zero_()
        layers += [layer, torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers[:-1])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    labels = torch.arange(64) % 10
    pixels = ((np.arange(64 * 784) % 255) / 255).astype(np.float32)

    def step():
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(torch.tensor(pixels).view(64, 784)), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def train(model, batch, learning_rate, decay):
    model.train()
    optimizer = torch.optim.AdamW(
        [p for p in model.parameters() if p.requires_grad], lr=learning_rate, weight_decay=decay
    )

    def step():
        optimizer.zero_grad()
        loss = model(**batch).loss
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def gpt(_):
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(
        vocab_size=4096, n_embd=384, n_layer=6, n_head=6, n_positions=64, embd_pdrop=0, attn_pdrop=0, resid_pdrop=0
    )
    model = GPT2LMHeadModel(config)
    with torch.no_grad():
        # The order of programs/gpt.mjs is that of the model.
        for stream, (name, p) in enumerate(model.transformer.named_parameters()):
            if p.dim() == 2:
                p.copy_(normals(p.numel(), 0.02, stream).view(p.shape))
            else:
                p.fill_(1 if name.endswith("weight") else 0)
    state, ids = 1, []
    for _ in range(8 * 64):
        state = (state * 1103515245 + 12345) & 0x7FFFFFFF
        ids.append(state % 4096)
    ids = torch.tensor(ids).view(8, 64)
    return train(model, {"input_ids": ids, "labels": ids}, 1e-3, 0.01)


def minilm(p):
    from transformers import BertConfig, BertForSequenceClassification

    config = BertConfig(
        vocab_size=30522, hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536,
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, num_labels=2,
    )
    model = BertForSequenceClassification(config)
    layers = {"full": None, "LoRA": [0, 1, 2, 3, 4, 5], "LoRA, upper 3": [3, 4, 5]}[p["variant"]]
    if layers is not None:
        from peft import LoraConfig, get_peft_model

        lora = LoraConfig(
            r=8, lora_alpha=16, target_modules=["query", "value"], layers_to_transform=layers,
            modules_to_save=["classifier"],
        )
        model = get_peft_model(model, lora)
    ids = torch.tensor([[5 + (b * 31 + t * 7) % 30000 for t in range(64)] for b in range(16)])
    batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": torch.arange(16) % 2}
    return train(model, batch, 1e-4, 0.01)


TASKS = {"matmul": matmul, "mlp": mlp, "gpt": gpt, "minilm": minilm}


def peak():
    with open("/proc/self/status") as file:
        for line in file:
            if line.startswith("VmHWM"):
                return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def timed(state):
    time_, value = milliseconds(state["task"])
    if value is not None and len(state["values"]) < 8:
        state["values"].append(value)
    return time_


def prepare(state, request):
    state["values"] = []
    state["task"] = TASKS[request["task"]](request["params"])
    return {"first": timed(state), "warm": [timed(state) for _ in range(request["params"].get("warm", 2))]}


def round_(state, request):
    times, end = [], time.perf_counter() + request["budget"] / 1000
    while len(times) < request["least"] or time.perf_counter() < end:
        times.append(timed(state))
    return {"times": times}


def release(state, _):
    state["task"] = None
    return {}


HANDLERS = {
    "prepare": prepare,
    "round": round_,
    "report": lambda state, _: {"peak": peak(), "values": state["values"], "version": torch.__version__},
    "release": release,
}

state = {}
for line in sys.stdin:
    request = json.loads(line)
    try:
        reply = HANDLERS[request["op"]](state, request)
    except Exception as error:  # told to the bench, which goes on with the others
        reply = {"error": f"{type(error).__name__}: {error}".split("\n")[0]}
    print(f"\n@{json.dumps(reply)}", flush=True)
