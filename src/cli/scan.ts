/** `moonwire scan`: which units answer on a line, and how the line is set. */

import { realpathSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { boardNames } from '../boards/catalogue.js';
import { findHolders } from '../boards/holders.js';
import { Machine } from '../boards/machine.js';
import { resolvePorts } from '../boards/ports.js';
import { loadConfig } from '../config/load.js';
import type { LinkConfig } from '../config/schema.js';
import { MoonwireError } from '../errors.js';
import { silentLogger } from '../log.js';
import type { Connection } from '../transports/connection.js';
import { openSerial } from '../transports/serial.js';
import { listSerialPorts, locateSerialPort } from '../transports/serialports.js';
import { connectTcp } from '../transports/tcp.js';
import { EXIT } from './exit.js';
import { print, printJson } from './output.js';
import { Prober } from './scan-probe.js';
import { type LineSetting, likelyUnits, lineSettings, settingOf } from './scan-settings.js';
import { untilSignal } from './signals.js';

/** What the command takes; checked by `scan-options.ts`. */
export interface ScanOptions {
  port?: string;
  tcp?: { host: string; port: number };
  file?: string;
  protocol: string;
  units: number[];
  bauds: number[];
  parities: LineSetting['parity'][];
  /** Milliseconds a device may take to answer, beside the time on the line. */
  timeout: number;
  json?: boolean;
}

/** A unit that answered. */
interface Found extends Partial<LineSetting> {
  readonly unit: number;
  readonly answer: string;
}

/** Where to look. */
interface Target {
  readonly name: string;
  /** Undefined for a TCP converter, which has its own line settings. */
  readonly settings: readonly LineSetting[] | undefined;
  open(setting: LineSetting | undefined): Promise<Connection>;
}

/** A converter's line may be as slow as this. */
const SLOW_BAUD = 9600;
/** Silence between two requests, so that late answers and turning adapters do not meet the next one. */
const GAP_MS = 10;

/**
 * Looks for units; ends early with what it found when a signal comes. Returns the exit code, which tells whether
 * anything answered. Throws MoonwireError: `conflict` when somebody has the port, naming who.
 */
export async function scan(linkName: string | undefined, options: ScanOptions): Promise<number> {
  const target = await findTarget(linkName, options);
  const search = new Search(target, options);
  try {
    await Promise.race([search.run(), untilSignal()]);
  } catch (error) {
    if (search.found.length > 0) search.report();
    throw error;
  } finally {
    search.close();
  }
  search.report();
  return search.found.length > 0 ? EXIT.done : EXIT.failed;
}

class Search {
  readonly found: Found[] = [];
  private noisy: string[] = [];
  private stopping = false;
  private connection: Connection | undefined;
  private readonly prober: Prober;

  constructor(
    private readonly target: Target,
    private readonly options: ScanOptions,
  ) {
    this.prober = new Prober(options.protocol);
  }

  /** Likely units with every setting; then, with the setting that was answered, or else with each, all others. */
  async run(): Promise<void> {
    const { likely, rest } = likelyUnits(this.options.units);
    const settings = this.target.settings ?? [undefined];
    for (const setting of settings) {
      await this.ask(setting, likely);
      if (this.found.length > 0) return this.ask(setting, rest);
    }
    for (const setting of settings) {
      await this.ask(setting, rest);
      if (this.found.length > 0) return;
    }
  }

  /** Ends `run`, also in the middle of an exchange. */
  close(): void {
    this.stopping = true;
    this.connection?.destroy();
  }

  private async ask(setting: LineSetting | undefined, units: readonly number[]): Promise<void> {
    if (units.length === 0 || this.stopping) return;
    const connection = await this.target.open(setting);
    this.connection = connection;
    const closed = this.prober.attach(connection);
    try {
      const { timeout } = this.options;
      for (const unit of units) {
        if (this.stopping) return;
        this.progress(setting, unit);
        const probed = await this.prober.ask(connection, unit, setting?.baudRate ?? SLOW_BAUD, timeout);
        if (probed.kind === 'found') this.add({ unit, ...setting, answer: probed.answer });
        if (probed.kind === 'noise') this.noisy.push(`${describe(setting)} unit ${unit}`);
        await pause(GAP_MS);
      }
    } finally {
      connection.destroy();
      // A port is free for the next setting only then.
      await closed;
    }
  }

  private add(found: Found): void {
    this.found.push(found);
    if (this.options.json) return;
    this.clear();
    print(
      `unit ${found.unit}${found.baudRate ? ` at ${describe(found as LineSetting)}` : ''}: ${found.answer}`,
    );
  }

  private progress(setting: LineSetting | undefined, unit: number): void {
    if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${describe(setting)} unit ${unit}`);
  }

  private clear(): void {
    if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  }

  /** The summary for people, or everything as one line of JSON. */
  report(): void {
    this.clear();
    const { found, noisy, target, options } = this;
    if (options.json) {
      printJson({ target: target.name, protocol: options.protocol, found, noise: noisy });
      return;
    }
    const count = found.length === 1 ? '1 unit answers' : `${found.length} units answer`;
    print(`${target.name}: ${count}`);
    if (found.length === 0 && noisy.length > 0) {
      print(
        `bytes that are no answer came at ${noisy[0]}: other line settings, another protocol or another master`,
      );
    }
  }
}

function describe(setting: LineSetting | undefined): string {
  if (!setting) return 'as the converter is set,';
  const letter = { none: 'N', even: 'E', odd: 'O' }[setting.parity];
  return `${setting.baudRate} 8${letter}1`;
}

async function findTarget(linkName: string | undefined, options: ScanOptions): Promise<Target> {
  const { port, tcp, file, bauds, parities } = options;
  if (port !== undefined) return serialTarget(port, port, lineSettings(bauds, parities));
  if (tcp) return tcpTarget(`${tcp.host}:${tcp.port}`, tcp);
  const link = await findLink(linkName!, file!);
  if (link.kind === 'serial') {
    return serialTarget(link.name, link.serial.port, lineSettings(bauds, parities, settingOf(link)));
  }
  if (link.kind === 'tcp' && !link.tcp.tls) return tcpTarget(link.name, link.tcp);
  throw new MoonwireError('invalid_argument', `link ${link.name} is neither a serial line nor plain TCP`);
}

async function findLink(name: string, file: string): Promise<LinkConfig> {
  const { config } = loadConfig(file, { boards: boardNames() });
  const resolved = resolvePorts(config, await listSerialPorts(), new Machine(), silentLogger);
  const { links } = resolved.config.engine;
  const link = links.find((one) => one.name === name);
  if (link) return link;
  const known = links.length > 0 ? `it has ${links.map((one) => one.name).join(', ')}` : 'it has none';
  throw new MoonwireError('not_found', `${file} has no link ${name}; ${known}`);
}

function tcpTarget(name: string, { host, port }: { host: string; port: number }): Target {
  return { name, settings: undefined, open: () => connectTcp({ host, port }) };
}

/** A scan never speaks on a line somebody else has open: two masters would spoil each other's exchanges. */
async function serialTarget(name: string, port: string, settings: readonly LineSetting[]): Promise<Target> {
  const path = realpath(await locateSerialPort(port));
  const machine = new Machine();
  const holders = (findHolders([path], machine).get(path) ?? []).filter(
    ({ pid }) => pid !== process.pid && !(path.startsWith('/dev/pts/') && makesTerminals(pid, machine)),
  );
  if (holders.length > 0) {
    const who = holders.map(({ pid, program }) => `${program ?? 'a process'} (${pid})`).join(', ');
    throw new MoonwireError('conflict', `${port} is held by ${who}: stop it for the time of the scan`, port);
  }
  return { name, settings, open: (setting) => openSerial({ port, ...setting! }) };
}

/** Whether a process makes pseudo terminals, as socat does; it has those it made open without speaking there. */
function makesTerminals(pid: number, machine: Machine): boolean {
  const folder = `/proc/${pid}/fd`;
  return machine
    .names(folder)
    .some((fd) => /^\/dev\/(pts\/)?ptmx$/.test(machine.linkTarget(`${folder}/${fd}`) ?? ''));
}

/** The device node of a link; a port that is not there is told by opening it. */
function realpath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
