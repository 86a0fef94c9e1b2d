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
import { openSerial, type SerialOptions } from '../transports/serial.js';
import { listSerialPorts, locateSerialPort } from '../transports/serialports.js';
import { connectTcp } from '../transports/tcp.js';
import { type ApiAddress, ApiClient, authorizationOf } from './api-client.js';
import { EXIT } from './exit.js';
import { print, printJson } from './output.js';
import { borrowLine } from './scan-lease.js';
import { Prober } from './scan-probe.js';
import {
  type CharacterFormat,
  LIKELY_FORMATS,
  type LineSetting,
  likelyUnits,
  lineSettings,
  parseFormats,
  type ScanProtocol,
  settingText,
} from './scan-settings.js';
import { untilSignal } from './signals.js';

/** What the command takes; checked by `scan-options.ts`. */
export interface ScanOptions {
  port?: string;
  tcp?: { host: string; port: number };
  file?: string;
  protocol: ScanProtocol;
  units: number[];
  bauds: number[];
  /** Formats of a character to try; those that are usual with the protocol when undefined. */
  formats?: CharacterFormat[];
  /** Milliseconds a device may take to answer, beside the time on the line. */
  timeout: number;
  json?: boolean;
  /** The engine that has the link; by its configuration when undefined. */
  api?: ApiAddress;
  user?: string;
}

/** What is to be scanned; `link`: whose line it is, for an engine that may run it. */
interface Place {
  readonly link?: { readonly name: string; readonly api: ApiClient };
  target(): Promise<Target>;
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
  const place = await findPlace(linkName, options);
  const line = place.link && (await borrowLine(place.link.api, place.link.name));
  if (line && !options.json) print(`the engine lends the line of ${place.link!.name}, its polls wait`);
  try {
    return await searchOn(await place.target(), options);
  } finally {
    await line?.giveBack();
  }
}

async function searchOn(target: Target, options: ScanOptions): Promise<number> {
  const search = new Search(target, options);
  const running = search.run();
  try {
    await Promise.race([running, untilSignal()]);
  } catch (error) {
    if (search.found.length > 0) search.report();
    throw error;
  } finally {
    search.close();
    // Only then is the port free for others.
    await running.catch(() => {});
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
  return setting ? settingText(setting) : 'as the converter is set,';
}

async function findPlace(linkName: string | undefined, options: ScanOptions): Promise<Place> {
  const { port, tcp, file, protocol, bauds } = options;
  const formats = options.formats ?? parseFormats(LIKELY_FORMATS[protocol])!;
  if (port !== undefined) {
    return { target: () => serialTarget(port, { port }, lineSettings(bauds, formats)) };
  }
  if (tcp) return { target: async () => tcpTarget(`${tcp.host}:${tcp.port}`, tcp) };
  const { link, api } = await findLink(linkName!, file!);
  const { name } = link;
  if ((link.kind !== 'serial' && link.kind !== 'tcp') || (link.kind === 'tcp' && link.tcp.tls)) {
    throw new MoonwireError('invalid_argument', `link ${name} is neither a serial line nor plain TCP`);
  }
  return {
    link: { name, api: new ApiClient(options.api ?? api, authorizationOf(options.user, process.env)) },
    target: async () =>
      link.kind === 'tcp'
        ? tcpTarget(name, { host: link.tcp.host[0]!, port: link.tcp.port })
        : serialTarget(name, link.serial, lineSettings(bauds, formats, link.serial)),
  };
}

/** A link of a configuration, and where the API of its engine listens. */
async function findLink(name: string, file: string): Promise<{ link: LinkConfig; api: ApiAddress }> {
  const { config } = loadConfig(file, { boards: boardNames() });
  const resolved = resolvePorts(config, await listSerialPorts(), new Machine(), silentLogger);
  const { links, apiServer } = resolved.config.engine;
  const { bind, port, tls } = apiServer;
  const here: Partial<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' };
  const link = links.find((one) => one.name === name);
  if (link) return { link, api: { host: here[bind] ?? bind, port, tls: tls !== undefined } };
  const known = links.length > 0 ? `it has ${links.map((one) => one.name).join(', ')}` : 'it has none';
  throw new MoonwireError('not_found', `${file} has no link ${name}; ${known}`);
}

function tcpTarget(name: string, { host, port }: { host: string; port: number }): Target {
  return { name, settings: undefined, open: () => connectTcp({ host, port }) };
}

/** A scan never speaks on a line somebody else has open: two masters would spoil each other's exchanges. */
async function serialTarget(
  name: string,
  line: Omit<SerialOptions, 'baudRate'>,
  settings: readonly LineSetting[],
): Promise<Target> {
  const { port } = line;
  const path = realpath(await locateSerialPort(port));
  const machine = new Machine();
  const holders = (findHolders([path], machine).get(path) ?? []).filter(
    ({ pid }) => pid !== process.pid && !(path.startsWith('/dev/pts/') && makesTerminals(pid, machine)),
  );
  if (holders.length > 0) {
    const who = holders.map(({ pid, program }) => `${program ?? 'a process'} (${pid})`).join(', ');
    const advice = 'stop it for the time of the scan, or, if it is an engine, name its link and -f FILE';
    throw new MoonwireError('conflict', `${port} is held by ${who}: ${advice}`, port);
  }
  return { name, settings, open: (setting) => openSerial({ ...line, ...setting! }) };
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
