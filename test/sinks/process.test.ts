import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { parseConfig } from '../../src/config/load.js';
import type { Config } from '../../src/config/schema.js';
import { type Gateway, startEngine, startSingle } from '../../src/main.js';
import { LogRecorder } from '../store/support.js';
import { until } from './support.js';

const SCRIPT = `
protocol = {
  frame = mix.frame.delimiter { ends = "\\n" },
  decode = function(line) return { line = line } end,
  reply = function() return "safe\\n" end,
}
function on_message(msg) mix.report("dev", { line = msg.line }, { durable = true }) end
`;

function configOf(folder: string, engine = ''): Config {
  writeFileSync(join(folder, 'main.lua'), SCRIPT);
  const text = `
engine:
  name: barn
  apiServer: { port: 0 }
  meshPoint: { port: 0 }
  servers: [{ name: s, port: 0, bind: 127.0.0.1, entry: main.lua }]
  ${engine}
center: { apiServer: { port: 0 }, registry: { port: 0 } }
store: { path: ${folder}/data }
sinks:
  - file: { path: ${folder}/out.jsonl }
`;
  return parseConfig(text, join(folder, 'test.yaml'), { cwd: folder, env: {} }).config;
}

/** Sends lines to the engine's server, and waits until each report is said to be safe. */
async function send(gateway: Gateway, lines: readonly string[]): Promise<void> {
  const socket = connect(gateway.engine.servers[0]!.listener!.port, '127.0.0.1');
  socket.write(lines.map((line) => `${line}\n`).join(''));
  let answers = '';
  socket.on('data', (chunk) => {
    answers += chunk;
  });
  await until(() => answers === 'safe\n'.repeat(lines.length));
  socket.destroy();
}

/** The lines that were reported, in the order they are in the file. */
function linesIn(folder: string): string[] {
  try {
    const text = readFileSync(join(folder, 'out.jsonl'), 'utf8');
    return text.split('\n').flatMap((line) => (line === '' ? [] : JSON.parse(line).values.line));
  } catch {
    return [];
  }
}

async function reportsReach(t: Test, start: typeof startEngine): Promise<void> {
  const folder = t.testdir();
  const config = configOf(folder);
  const log = new LogRecorder();
  const expected: string[] = [];
  for (const lines of [['a', 'b', 'c'], ['d'], ['e', 'f']]) {
    expected.push(...lines);
    const gateway = await start(config, log);
    try {
      await send(gateway, lines);
      // The second time it is stopped before that; what waited may come after what is new.
      if (lines.length > 1) await until(() => new Set(linesIn(folder)).size === expected.length);
    } finally {
      await gateway.stop();
    }
  }
  t.same([...new Set(linesIn(folder))].sort(), expected);
}

t.test('an engine alone delivers what its scripts report', (t) => reportsReach(t, startEngine));

t.test('a centre with an engine in one process does', (t) => reportsReach(t, startSingle));

t.test('an engine with a centre leaves that to it, and says so', async (t) => {
  const folder = t.testdir();
  const log = new LogRecorder();
  const gateway = await startEngine(configOf(folder, 'centerRegistry: tcp://127.0.0.1:1'), log);
  await gateway.stop();
  t.ok(log.lines.some((line) => line.includes('sinks are not used here')));
});
