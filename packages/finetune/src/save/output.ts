/** @file Everything that a finished run leaves behind. */
import { jsonBytes } from '@camada/hub';
import { adapterData, adapterFiles, type Adapter } from '@camada/lora';
import { RECORD_FILE, type CamadaRecord } from '../model/adapter.ts';
import type { LoadedModel } from '../model/load.ts';
import type { Network } from '../model/network.ts';
import { reportHtml, type ReportData } from '../report/html.ts';
import { metricsLines } from '../report/metrics-log.ts';
import type { Files } from './folder.ts';
import { modelFiles } from './model.ts';

/** A finished run, as its files are made from it. */
export interface Output {
  readonly loaded: LoadedModel;
  readonly network: Network;
  /** Undefined for methods that change the model itself. */
  readonly adapter: Adapter | undefined;
  readonly record: CamadaRecord;
  readonly report: ReportData;
}

/** A PEFT adapter, or (methods full and head) a model folder; with metrics and report. */
export async function outputFiles(output: Output): Promise<Files> {
  const { loaded, network, adapter, record, report } = output;
  const trained = adapter
    ? new Map([...adapterFiles(await adapterData(adapter)), [RECORD_FILE, [jsonBytes(record)]]])
    : await modelFiles(loaded, network, record);
  const text = (content: string): Uint8Array[] => [new TextEncoder().encode(content)];
  return new Map([
    ...trained,
    ['metrics.jsonl', text(metricsLines(report))],
    ['report.html', text(await reportHtml(report))],
  ]);
}
