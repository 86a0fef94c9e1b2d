/** The peers of `npm run bench:peers` that Debian or the project brings still answer right; nothing is measured. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { missing } from '../support/need.js';

const RUN = fileURLToPath(new URL('../../bench/peers/run.mjs', import.meta.url));
/** Many servers are started, one after the other. */
t.setTimeout(180_000);

/** Runs parts of the benchmark with next to no work; the first cells of its tables' rows. */
async function servers(parts: readonly string[], peers: readonly string[]): Promise<(string | undefined)[]> {
  const args = [RUN, ...parts, '--check', `--only=${peers}`];
  // The test runner would load its own modules into every Node it sees started.
  const child = spawn('/usr/bin/env', ['-u', 'NODE_OPTIONS', process.execPath, ...args]);
  const [stdout, stderr] = [text(child.stdout), text(child.stderr)];
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`ended with ${code}:\n${await stderr}`);
  return (await stdout)
    .split('\n')
    .filter((line) => line.startsWith('| ') && !line.startsWith('| server '))
    .map((line) => line.split(' | ')[0]?.slice('| '.length));
}

const ROWS = ['Moonwire', 'node:net', 'Tarantool'];
const withoutTarantool = missing('tarantool', 'tarantool');
const withoutMosquitto = missing('mosquitto', 'mosquitto');

t.test('requests and answers', { skip: withoutTarantool }, async (t) => {
  const rows = await servers(['echo', 'modbus', 'gt06'], ['node:net', 'Tarantool']);
  t.same(rows, [...ROWS, ...ROWS, ...ROWS]);
});

t.test('publish', { skip: withoutMosquitto }, async (t) => {
  const rows = await servers(['publish'], ['aedes', 'Mosquitto']);
  t.same(rows, ['Moonwire', 'aedes', 'Mosquitto']);
});

t.test('start and memory', { skip: withoutTarantool || withoutMosquitto }, async (t) => {
  const rows = await servers(['memory'], ['Tarantool', 'Mosquitto']);
  t.same(rows, ['Moonwire, TCP', 'Tarantool, TCP', 'Moonwire, MQTT', 'Mosquitto, MQTT']);
});
