/**
 * @file `adapter_config.json`, read strictly where numbers depend on it and leniently elsewhere, and written
 * with the keys that PEFT 0.6 knew, so that old versions, which stop at unknown keys, read it too.
 */
import { Config, type JsonRecord } from '@camada/hub';
import { InputError } from '@camada/tensor';
import type { Method } from '../method/method.ts';
import { methodOf } from '../method/registry.ts';
import type { LayerConfig, PeftConfig } from './common.ts';

/** A config that was read, and what was ignored in its file: one sentence each, to be shown. */
export interface AdapterConfig {
  readonly method: Method;
  readonly config: PeftConfig;
  readonly warnings: readonly string[];
}

/** Keys of every method that say nothing about the numbers. */
const INERT: readonly string[] = ['auto_mapping', 'revision', 'peft_version', 'inference_mode'];

/**
 * Reads the record of an `adapter_config.json`. Throws `InputError` on another kind of adapter, on
 * mathematics that are not supported, and on fields of a wrong type; the rest is warned about.
 */
export function parseAdapterConfig(record: JsonRecord, file: string): AdapterConfig {
  const source = new Config(record, file);
  const method = methodOf(source.string('peft_type'), file);
  const warnings = checkOtherKeys(record, method, file);
  return { method, config: method.parse(source), warnings };
}

/** Unknown keys are told, unknown mathematics refused. */
function checkOtherKeys(record: JsonRecord, method: Method, file: string): string[] {
  const known = new Set([...method.keys, ...INERT, ...(method.inert ?? [])]);
  const warnings: string[] = [];
  for (const [key, value] of Object.entries(record)) {
    if (known.has(key) || saysNothing(value)) continue;
    if (method.refused?.includes(key) || (key.startsWith('use_') && value === true)) {
      throw new InputError(
        `${file}: "${key}" is ${JSON.stringify(value)}, which changes what the adapter computes and is not ` +
          'supported; merge it into the model with PEFT, or train it without.',
      );
    }
    warnings.push(`${file}: the key "${key}" is unknown and ignored.`);
  }
  return warnings;
}

function saysNothing(value: unknown): boolean {
  if (typeof value === 'object' && value !== null) return Object.keys(value).length === 0;
  return value === null || value === false;
}

/** The record to write, keys sorted as PEFT sorts them. */
export function adapterConfigRecord(method: Method, config: PeftConfig): JsonRecord {
  const record: JsonRecord = {
    ...method.record(config as LayerConfig), // made by this method
    auto_mapping: null,
    inference_mode: true,
    peft_type: method.peftType,
    revision: null,
  };
  return Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));
}
