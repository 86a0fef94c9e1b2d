/** An engine of several processes, as people run it. */

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Test } from 'tap';
import { LINES, Node } from './cluster.js';
import { freePorts } from './ports.js';

/** Long enough for a loaded machine; reaching it is a failure. */
const PATIENCE_MS = 30_000;

/** What is set up for a test. */
export interface WorkersSetup {
  /** Settings of `engine` as YAML of two spaces' indent, without servers. */
  readonly engine?: string;
  /** Servers as YAML, `PORT0`, `PORT1`, … in place of free ports; default: one of lines at PORT0. */
  readonly servers?: string;
  /** Further top-level YAML. */
  readonly more?: string;
  /** Scripts by name, beside `lines.lua`. */
  readonly scripts?: Readonly<Record<string, string>>;
  readonly command?: 'engine' | 'single';
}

/** A primary and its workers. */
export class Primary extends Node {
  /** Of its servers. */
  ports: number[] = [];
  folder = '';

  /** Process ids of its workers. */
  workers(): number[] {
    const { pid } = this.cli!;
    return children(pid);
  }

  /** Waits until so many workers are connected to the centre, and gives their names. */
  async joined(count: number): Promise<string[]> {
    const { engines } = await this.until<{ engines: { name: string; connected: boolean }[] }>(
      '/v1/engines',
      (body) => body.engines.filter(({ connected }) => connected).length === count,
    );
    return engines.map(({ name }) => name);
  }

  /** The numbers of clients of the workers. */
  async clients(): Promise<number[]> {
    const { engines } = await this.get<{ engines: { clients: number }[] }>('/v1/engines');
    return engines.map(({ clients }) => clients);
  }
}

/** Writes the configuration and starts it, with two workers unless `engine` says otherwise. */
export async function startPrimary(t: Test, setup: WorkersSetup = {}): Promise<Primary> {
  const folder = mkdtempSync(join(tmpdir(), 'moonwire-workers-'));
  mkdirSync(join(folder, 'lua'));
  for (const [name, script] of Object.entries({ 'lines.lua': LINES, ...setup.scripts })) {
    writeFileSync(join(folder, 'lua', name), script);
  }
  const [api, registry, centerApi, ...ports] = (await freePorts(9)) as [number, number, number, ...number[]];
  const servers =
    setup.servers ??
    '    - { name: lines, port: PORT0, bind: 127.0.0.1, entry: lua/lines.lua, limits: { idleSeconds: 0 } }';
  const { engine = '  workers: 2' } = setup;
  const single = `center: { registry: { port: ${registry} }, apiServer: { port: ${centerApi} } }\n`;
  const text = `engine:
  name: barn
  meshPoint: { port: 0 }
  apiServer: { port: ${api} }
${engine}
  servers:
${servers.replaceAll(/PORT(\d)/g, (_, i: string) => String(ports[Number(i)]))}
${setup.command === 'single' ? single : ''}${setup.more ?? ''}
script: { roots: [${join(folder, 'lua')}] }
store: { path: ${join(folder, 'data')} }
`;
  const file = join(folder, 'engine.yaml');
  writeFileSync(file, text.replaceAll('FOLDER', folder));
  const primary = new Primary('barn', setup.command ?? 'engine', file, api, ports[0]!);
  primary.ports = ports;
  primary.folder = folder;
  t.teardown(async () => {
    await primary.stop('SIGKILL');
    rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
  });
  await primary.start();
  return primary;
}

/** Waits until `condition` holds. */
export async function eventually(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + PATIENCE_MS; Date.now() < deadline; await pause(20)) {
    if (await condition()) return;
  }
  throw new Error(`it never came true: ${what}`);
}

/** Whether a process lives. */
export function lives(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

function children(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
  );
}
