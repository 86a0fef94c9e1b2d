/** A centre and an engine in the test's process, whose devices say a line, and do what they are told. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { parseConfig } from '../../src/config/load.js';
import { startCenter, startEngine } from '../../src/main.js';
import { Device, type Line, recordingLogger } from './engine.js';
import { freePorts } from './ports.js';

const SCRIPT = `
function protocol_input(buf) return buf:tostring():find("\\n", 1, true) or 0 end
function on_message(line, conn)
  local id, text = line:match("^(%S+) ?([^\\n]*)")
  if not conn:device_id() then conn:attach(id) end
  if text ~= "" then mix.report(id, { text = text }, { topic = "words", durable = true }) end
  conn:send("ok\\n")
end
function on_command(cmd, conn)
  if cmd.name == "refuse" then return nil, "conflict: not now" end
  return cmd.params
end
`;

/** An answer of an API. */
export interface Answer {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: the shape is what the test checks
  body: any;
  headers: Headers;
}

/** What runs. */
export interface Running {
  log: Line[];
  url: string;
  /** Arguments that name the centre's API. */
  at: string[];
  /** Asks the centre. */
  request(method: string, path: string, body?: unknown): Promise<Answer>;
  /** Asks the engine. */
  askEngine(path: string): Promise<Answer>;
  /** A device that is attached, and reported `text`. */
  attach(id: string, text?: string): Promise<Device>;
  /** The centre ends, and another one goes on. */
  restartCenter(): Promise<void>;
}

/** A centre and an engine in this process. */
export async function startBoth(t: Test): Promise<Running> {
  const folder = mkdtempSync(join(tmpdir(), 'moonwire-api-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, 'main.lua'), SCRIPT);
  const [registry, api] = (await freePorts(2)) as [number, number];
  const configOf = (name: string, yaml: string) => {
    const text = `${yaml}\nscript: { roots: [${folder}] }\nstore: { path: ${join(folder, name)} }\n`;
    return parseConfig(text, join(folder, 'test.yaml'), { cwd: folder }).config;
  };
  const log = recordingLogger();
  const open = () =>
    startCenter(
      configOf('center', `center: { registry: { port: ${registry} }, apiServer: { port: ${api} } }`),
      log,
    );
  let center = await open();
  t.teardown(() => center.stop());
  const engine = await startEngine(
    configOf(
      'engine',
      `engine:
  name: barn
  centerRegistry: 127.0.0.1:${registry}
  meshPoint: { port: 0 }
  apiServer: { port: 0 }
  servers: [{ name: lines, port: 0, bind: 127.0.0.1, entry: main.lua }]`,
    ),
    log,
  );
  t.teardown(() => engine.stop());
  const ask = async (address: string, method: string, path: string, body?: unknown): Promise<Answer> => {
    const response = await fetch(`http://${address}${path}`, {
      method,
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.includes('json');
    return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text };
  };
  return {
    log: log.lines,
    url: `http://127.0.0.1:${api}`,
    at: ['--api', `127.0.0.1:${api}`],
    request: (method, path, body) => ask(`127.0.0.1:${api}`, method, path, body),
    askEngine: (path) => ask(engine.api.address, 'GET', path),
    attach: async (id, text = '') => {
      const device = await Device.connect(engine.engine.servers[0]!.listener!.port);
      t.teardown(() => device.socket.destroy());
      device.send(`${id} ${text}\n`);
      await device.until((received) => received.includes('ok\n'));
      return device;
    },
    restartCenter: async () => {
      await center.stop();
      center = await open();
    },
  };
}

/** Asks again until the answer fulfils `condition`. */
export async function untilIs<T>(
  running: Running,
  path: string,
  condition: (body: T) => boolean,
): Promise<T> {
  let last: unknown;
  for (const deadline = Date.now() + 20_000; Date.now() < deadline; ) {
    last = (await running.request('GET', path)).body;
    if (condition(last as T)) return last as T;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`${path} gives ${JSON.stringify(last)}`);
}
