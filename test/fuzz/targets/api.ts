/** Every route of the API with made-up parameters, queries and bodies: an answer it describes, or a problem with its code. */

import { ROUTES } from '../../../src/api/routes.js';
import { startEngineWithApi } from '../../support/api.js';
import type { Random } from '../../support/random.js';
import { changed } from '../mutations.js';
import { Finding, type Target } from '../target.js';

interface Call {
  method: string;
  path: string;
  body?: string;
}

const WORDS = [
  '',
  '0',
  '1',
  '-1',
  'a',
  's',
  'id',
  '9'.repeat(40),
  'é',
  '%00',
  '%2e%2e',
  '..',
  '__proto__',
  'true',
  '1e400',
  'x'.repeat(300),
];
const KEYS = [
  'c',
  'd',
  't',
  'limit',
  'after',
  'name',
  'params',
  'ttl',
  'idempotencyKey',
  'server',
  'force',
  'labels',
  'seconds',
  'entry',
  'tcp',
  '__proto__',
];
const CLIENT_MS = 10_000;

function value({ below, pick }: Random, depth = 3): unknown {
  if (depth > 0 && below(3) === 0)
    return Object.fromEntries(
      Array.from({ length: below(5) }, () => [pick(KEYS), value({ below, pick } as Random, depth - 1)]),
    );
  if (depth > 0 && below(5) === 0) return [value({ below, pick } as Random, depth - 1)];
  return pick<unknown>([...WORDS, null, true, 0, -1, 1e308, 2 ** 53]);
}

export async function api(): Promise<readonly Target[]> {
  const running = await startEngineWithApi('function on_connect() end');
  return [
    {
      name: 'api',
      make(random) {
        const { method, path } = random.pick(ROUTES);
        const filled = path.replace(/\{\w+\}/g, () => encodeURIComponent(random.pick(WORDS)));
        const query = Array.from(
          { length: random.below(3) },
          () => `${random.pick(KEYS)}=${encodeURIComponent(random.pick(WORDS))}`,
        );
        const call: Call = { method, path: query.length > 0 ? `${filled}?${query.join('&')}` : filled };
        if (method !== 'GET') {
          const body = Buffer.from(JSON.stringify(value(random)));
          call.body = Buffer.from(random.below(3) === 0 ? changed(body, random, [body]) : body).toString(
            'latin1',
          );
        }
        return Buffer.from(JSON.stringify(call));
      },
      async run(input) {
        const { method, path, body } = JSON.parse(Buffer.from(input).toString()) as Call;
        const ending = new AbortController();
        const response = await fetch(running.url + path, {
          method,
          signal: AbortSignal.any([ending.signal, AbortSignal.timeout(CLIENT_MS)]),
          ...(body !== undefined && { body, headers: { 'content-type': 'application/json' } }),
        });
        const type = response.headers.get('content-type') ?? '';
        if (type.includes('event-stream')) {
          ending.abort();
          return;
        }
        const text = await response.text();
        // 503: what this engine does not have. Anything else from 500 on is a mistake of ours.
        if (response.status >= 500 && response.status !== 503)
          throw new Finding(`answered ${response.status}: ${text}`);
        if (response.status < 400) return;
        const problem = type.includes('json') ? (JSON.parse(text) as { code?: unknown }) : {};
        if (typeof problem.code !== 'string') throw new Finding(`${response.status} without a code: ${text}`);
      },
      close: running.stop,
    },
  ];
}
