"""Do Camada's files and Hugging Face's mean the same numbers? Runs both on MiniLM and writes OUTCOME.md.

`python tools/oracle/peft_check.py` needs `npm run build` (it calls the `camada` command and logits.mjs with node),
$CAMADA_MINILM or .cache/minilm, SST-2 (see README.md), and in the folder above it models/stories260K and
data/lm/tinyshakespeare.txt. No network. Exit code 1 if any check fails.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import peft
import torch
import transformers
from peft import LoraConfig, PeftModel, TaskType, get_peft_model
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

from minilm import SST2, batches, classification_rows, encode, model_folder
from store import ROOT

WORK = ROOT / '.cache' / 'peft-check'
OUTCOME = Path(__file__).with_name('OUTCOME.md')
STORIES = SST2.parents[1] / 'models' / 'stories260K'
TOLERANCE = 1e-4
ROWS = 320


@dataclass
class Check:
    name: str
    difference: float
    scale: float
    note: str = ''

    @property
    def passed(self) -> bool:
        return self.difference <= TOLERANCE and self.scale > 0.05


def run_node(command: list[str], text: str | None = None) -> dict:
    """Runs a program of ours; its standard output is one JSON object."""
    done = subprocess.run(['node', *command], cwd=ROOT, input=text, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f'node {" ".join(command)} failed with {done.returncode}:\n{done.stderr[-2000:]}')
    return json.loads(done.stdout)


def camada(*arguments: str) -> dict:
    return run_node(['packages/finetune/bin/camada.js', *arguments, '--json'])


def texts() -> list[str]:
    return [text for text, _ in classification_rows('test', 24)]


def camada_logits(model: Path, adapter: Path | None) -> torch.Tensor:
    options = ['--adapter', str(adapter)] if adapter else []
    answer = run_node(['tools/oracle/logits.mjs', '--model', str(model), *options], json.dumps(texts()))
    return torch.tensor(answer['logits'])


def torch_logits(model: torch.nn.Module) -> torch.Tensor:
    """Eight texts a batch, padded to the longest: padding must not matter to either side."""
    tokenizer = AutoTokenizer.from_pretrained(model_folder())
    model.eval()
    with torch.no_grad():
        parts = [model(**encode(tokenizer, texts()[start : start + 8])).logits for start in range(0, 24, 8)]
    return torch.cat(parts)


def compare(name: str, ours: torch.Tensor, theirs: torch.Tensor, note: str = '') -> Check:
    """`scale` is the spread of the logits over texts: logits that do not vary would agree by accident."""
    if ours.shape != theirs.shape:
        raise SystemExit(f'{name}: Camada gives {tuple(ours.shape)}, Hugging Face {tuple(theirs.shape)}')
    return Check(name, (ours - theirs).abs().max().item(), theirs.std(0).max().item(), note)


def base() -> torch.nn.Module:
    torch.manual_seed(0)
    return AutoModelForSequenceClassification.from_pretrained(model_folder(), num_labels=2)


def train_file() -> Path:
    path = WORK / 'train.tsv'
    path.write_text(''.join(f'{text}\t{label}\n' for text, label in classification_rows('train', ROWS)))
    return path


def finetune(output: Path, layers: str) -> dict:
    data = train_file()
    return camada(
        'finetune', '--model', str(model_folder()), '--train', str(data), '--test', str(data), '--no-header',
        '--text', '0', '--label', '1', '--method', 'lora', '--r', '8', '--alpha', '16', '--layers', layers,
        '--epochs', '3', '--batch-size', '16', '--learning-rate', '5e-3', '--max-length', '64', '--seed', '1',
        '--output', str(output),
    )  # fmt: skip


def ours_in_peft() -> list[Check]:
    """An adapter that Camada trained, opened by PEFT."""
    checks = []
    for layers in ('all', '1,4'):
        adapter = WORK / f'camada-{layers}'
        shutil.rmtree(adapter, ignore_errors=True)
        answer = finetune(adapter, layers)
        model = PeftModel.from_pretrained(base(), adapter)
        note = f'{answer["trainableParameters"]:,} trainable, layers {answer["layers"]}'
        checks.append(compare(f'Camada LoRA, layers {layers} → PEFT', camada_logits(model_folder(), adapter), torch_logits(model), note))
    return checks


def train_with_peft(name: str, **settings) -> tuple[Path, torch.Tensor]:
    """30 steps in PEFT, saved as PEFT saves it; returns the folder and PEFT's logits after loading it again."""
    torch.manual_seed(3)
    common = dict(task_type=TaskType.SEQ_CLS, r=8, lora_alpha=16, lora_dropout=0.1)
    model = get_peft_model(base(), LoraConfig(**common | settings))
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=5e-3)
    model.train()
    for batch in batches(AutoTokenizer.from_pretrained(model_folder())):
        optimizer.zero_grad()
        model(**batch).loss.backward()
        optimizer.step()
    path = WORK / name
    model.save_pretrained(path)
    return path, torch_logits(PeftModel.from_pretrained(base(), path))


VARIANTS = {
    'query, value': dict(target_modules=['query', 'value']),
    'all-linear, rsLoRA, layers 2 and 5': dict(
        target_modules=['query', 'key', 'value', 'dense'], layers_to_transform=[2, 5], use_rslora=True
    ),
}


def theirs_in_ours() -> list[Check]:
    """Adapters that PEFT trained, opened by Camada."""
    checks = []
    for index, (name, settings) in enumerate(VARIANTS.items()):
        path, logits = train_with_peft(f'peft-{index}', **settings)
        checks.append(compare(f'PEFT LoRA ({name}) → Camada', camada_logits(model_folder(), path), logits))
    return checks


def merged() -> list[Check]:
    """`camada merge`: the folder it writes opens in Transformers and gives the adapter's logits, with no weight missing."""
    checks = []
    for adapter in ('camada-1,4', 'peft-0'):
        output = WORK / f'merged-{adapter}'
        shutil.rmtree(output, ignore_errors=True)
        camada('merge', '--model', str(model_folder()), '--adapter', str(WORK / adapter), '--output', str(output))
        model, report = AutoModelForSequenceClassification.from_pretrained(output, output_loading_info=True)
        if report['missing_keys'] or report['mismatched_keys']:
            raise SystemExit(f'merged {adapter}: Transformers misses {report["missing_keys"]}')
        reference = torch_logits(PeftModel.from_pretrained(base(), WORK / adapter))
        checks.append(compare(f'camada merge ({adapter}) → Transformers', torch_logits(model), reference))
    return checks


def sharded() -> list[Check]:
    """A checkpoint in several files, each way."""
    source = WORK / 'merged-peft-0'
    model = AutoModelForSequenceClassification.from_pretrained(source)
    theirs, ours = WORK / 'sharded-transformers', WORK / 'sharded-camada'
    for folder in (theirs, ours):
        shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(theirs, max_shard_size='30MB')
    AutoTokenizer.from_pretrained(model_folder()).save_pretrained(theirs)
    reference = torch_logits(model)
    checks = [compare('sharded by Transformers → Camada', camada_logits(theirs, None), reference)]
    answer = run_node(['tools/oracle/reshard.mjs', str(source), str(ours), str(30_000_000)])
    reopened = AutoModelForSequenceClassification.from_pretrained(ours)
    note = f'{len(answer["files"])} files'
    return [*checks, compare('sharded by Camada → Transformers', torch_logits(reopened), reference, note)]


def causal_logits(model: torch.nn.Module, tokenizer) -> torch.Tensor:
    """After the last token of each text, one text at a time, so without padding."""
    with torch.no_grad():
        parts = [model(**tokenizer(text, truncation=True, max_length=64, return_tensors='pt')).logits[:, -1] for text in texts()]
    return torch.cat(parts)


def greedy_tokens(folder: Path, prompt: str, count: int) -> Check:
    """How many of the greedy tokens differ between `camada generate` and Transformers."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder)
    inputs = tokenizer(prompt, return_tensors='pt')
    full = model.generate(inputs['input_ids'], max_new_tokens=count, do_sample=False)[0].tolist()
    theirs = full[inputs['input_ids'].shape[1] :]
    options = ['--prompt', prompt, '--max-new-tokens', str(count), '--temperature', '0']
    ours = camada('generate', '--model', str(folder), *options)['tokens']
    different = abs(len(ours) - len(theirs)) + sum(a != b for a, b in zip(ours, theirs))
    return Check('camada convert and generate, against Transformers', different, len(set(theirs)), tokenizer.decode(theirs[:24]))


def language_model() -> list[Check]:
    """stories260K: converted from llama2.c, continued, fine-tuned by Camada in the layers that CKA chose."""
    folder, adapter, data = WORK / 'stories260K', WORK / 'stories-adapter', WORK / 'stories.txt'
    for path in (folder, adapter):
        shutil.rmtree(path, ignore_errors=True)
    camada('convert', '--checkpoint', str(STORIES / 'checkpoint_v1.bin'), '--tokenizer', str(STORIES / 'tokenizer.bin'), '--output', str(folder))
    checks = [greedy_tokens(folder, 'Once upon a time', 60)]
    data.write_text((STORIES.parents[1] / 'data' / 'lm' / 'tinyshakespeare.txt').read_text()[:60_000])
    camada(
        'finetune', '--model', str(folder), '--train', str(data), '--task', 'causal-lm', '--method', 'lora',
        '--layers', 'cka:0.5', '--max-steps', '20', '--batch-size', '8', '--learning-rate', '5e-3',
        '--max-length', '64', '--output', str(adapter),
    )  # fmt: skip
    tokenizer = AutoTokenizer.from_pretrained(folder)
    plain = causal_logits(AutoModelForCausalLM.from_pretrained(folder), tokenizer)
    tuned = causal_logits(PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(folder), adapter), tokenizer)
    note = f'the adapter moves logits by up to {(tuned - plain).abs().max():.2f}'
    checks.append(compare('stories260K, logits of the last token', camada_logits(folder, None), plain))
    return [*checks, compare('Camada LoRA on stories260K → PEFT', camada_logits(folder, adapter), tuned, note)]


PARTS: dict[str, Callable[[], list[Check]]] = {
    'ours in PEFT': ours_in_peft,
    "PEFT's in ours": theirs_in_ours,
    'merged': merged,
    'sharded': sharded,
    'language model': language_model,
}


def section(checks: list[Check]) -> str:
    rows = [
        f'| {check.name} | {check.difference:.1e} | {check.scale:.2f} | {"yes" if check.passed else "**NO**"} | {check.note} |'
        for check in checks
    ]
    versions = f'Python {platform.python_version()}, torch {torch.__version__}, transformers {transformers.__version__}, peft {peft.__version__}'
    commit = subprocess.run(['git', 'rev-parse', '--short', 'HEAD'], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    head = f'## Interchange\n\nCommit {commit}; {versions}; node {run_version("node")}. MiniLM-L6, 24 sentences of SST-2\'s test file, tolerance {TOLERANCE:g}.\n\n'
    table = '| check | largest difference of a logit | spread of the logits | passed | |\n|---|---|---|---|---|\n'
    return head + table + '\n'.join(rows) + '\n'


def run_version(program: str) -> str:
    return subprocess.run([program, '--version'], capture_output=True, text=True).stdout.strip()


def write_outcome(text: str) -> None:
    """Replaces the part on interchange and keeps what stands after it (the runs made by hand)."""
    marker = '\n## Accuracy'
    old = OUTCOME.read_text() if OUTCOME.exists() else ''
    rest = marker + old.split(marker, 1)[1] if marker in old else ''
    OUTCOME.write_text('# Last outcome of the oracle\n\n' + text + rest)
    subprocess.run(['npx', 'prettier', '--write', str(OUTCOME)], cwd=ROOT, check=True, capture_output=True)


def main() -> None:
    os.environ['HF_HUB_OFFLINE'] = '1'
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    if not (SST2 / 'test.tsv').exists():
        raise SystemExit(f'no SST-2 in {SST2}: set CAMADA_SST2')
    WORK.mkdir(parents=True, exist_ok=True)
    checks: list[Check] = []
    for part in PARTS.values():
        for check in part():
            print(f'{"ok " if check.passed else "BAD"} {check.difference:.2e}  {check.name}', flush=True)
            checks.append(check)
    write_outcome(section(checks))
    sys.exit(0 if all(check.passed for check in checks) else 1)


if __name__ == '__main__':
    main()
