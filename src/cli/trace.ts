/** `moonwire trace`: what happens with one client, as it happens. */

import { once } from 'node:events';
import { type ApiClient, ApiRefusal } from './api-client.js';
import type { ApiOptions } from './api-commands.js';
import { EXIT } from './exit.js';
import { hexDump } from './hex-dump.js';
import { print, printJson, remark, textOf } from './output.js';
import { untilSignal } from './signals.js';
import { printable } from './table.js';

/** Prints events until the client is gone or a signal comes; returns the exit code. */
export async function trace(client: ApiClient, id: string, { json }: ApiOptions): Promise<number> {
  const stopping = new AbortController();
  untilSignal().then(() => stopping.abort());
  let ended = false;
  const { transport } = await client.get(`/v1/clients/${id}`);
  const datagram = transport === 'udp';
  try {
    for await (const { name, data } of client.events(`/v1/clients/${id}/trace`, stopping.signal)) {
      if (name === 'end') ended = true;
      else if (name === 'lost') remark(`${textOf((data as Event).events)} events were left out: too many`);
      else if (json) printJson(datagram ? { ...(data as Event), datagram } : data);
      else print(describe(data as Event));
      if (process.stdout.writableNeedDrain) await once(process.stdout, 'drain');
    }
  } catch (error) {
    if (!stopping.signal.aborted) throw error;
  }
  if (ended || stopping.signal.aborted) return EXIT.done;
  throw new ApiRefusal('the trace ended before the client did');
}

type Event = Record<string, unknown>;

/** A heading, and what belongs to it indented below, as `moonwire replay` prints them. */
function describe({ time, event, hex, message, reason }: Event): string {
  const bytes = Buffer.from(textOf(hex), 'hex');
  const dump = bytes.length > 0 ? `\n${hexDump(bytes)}` : '';
  const why = reason === undefined ? '' : `: ${printable(textOf(reason))}`;
  return `${stamp(time)} ${printable(head(textOf(event), bytes.length, message))}${why}${dump}`;
}

function head(event: string, length: number, message: unknown): string {
  switch (event) {
    case 'in':
      return `< ${length} bytes`;
    case 'out':
      return `> ${length} bytes`;
    case 'discard':
      return `discarded ${length} bytes`;
    case 'message':
      return `message ${JSON.stringify(message) ?? ''}`;
    default:
      return event;
  }
}

function stamp(time: unknown): string {
  const date = new Date(Number(time) * 1000);
  return Number.isNaN(date.getTime()) ? '-' : date.toISOString();
}
