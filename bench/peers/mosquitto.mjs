// Mosquitto on a free port of 127.0.0.1, without persistence, open to all.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ServerProcess } from '../support/server.mjs';

const SETTINGS = [
  'allow_anonymous true',
  'persistence false',
  'max_queued_messages 0',
  'set_tcp_nodelay true',
];
const LISTENING = /listen socket on port (\d+)[\s\S]*mosquitto version \S+ running/;

export function startMosquitto(program, port) {
  const folder = mkdtempSync(join(tmpdir(), 'moonwire-bench-'));
  const file = join(folder, 'mosquitto.conf');
  writeFileSync(file, `${[...SETTINGS, `listener ${port} 127.0.0.1`].join('\n')}\n`);
  const release = () => rmSync(folder, { recursive: true, force: true });
  // It forgets a SIGTERM that comes right after it said that it runs.
  const signal = 'SIGKILL';
  return new ServerProcess(['-c', file], release, { program, listening: LISTENING, signal }).ready();
}
