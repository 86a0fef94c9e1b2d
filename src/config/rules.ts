/**
 * Rules that concern several settings at once. They run even when single settings are wrong, so that all
 * problems are told together; hence they take nothing in the values for granted.
 */

import { type Bases, candidates, findPath } from './files.js';
import { formatPath, type Report, type Step, show, suggest } from './problems.js';
import { checkTls, tlsFiles } from './tls-rules.js';
import { at, items } from './walk.js';

/** What the rules look at. */
export interface Subject {
  /** The values as written, without defaults. */
  readonly written: unknown;
  /** The values with defaults, as far as they could be read. */
  readonly read: unknown;
}

/** Reports every broken rule. */
export function checkRules(subject: Subject, report: Report): void {
  checkOverlaps(subject.written, report);
  checkPorts(subject, report);
  checkNames(subject.read, report);
  checkServers(subject.read, report);
  checkTls(subject.read, report);
  checkRedis(subject.read, report);
  checkExposure(subject.read, report);
  checkSimulated(subject.read, report);
}

/** The board must be one that is known. */
export function checkBoard({ read }: Subject, boards: readonly string[], report: Report): void {
  const board = at(read, 'board');
  if (typeof board !== 'string' || board === 'auto' || boards.includes(board)) return;
  const near = suggest(board, boards);
  const hint = near === undefined ? `known: ${boards.join(', ')}` : `did you mean ${near}?`;
  report(['board'], `must be auto or the name of a board, got ${show(board)}`, hint);
}

/** Design §9 "Configuration overlaps": CONNMIX's name and ours for one setting exclude each other. */
function checkOverlaps(written: unknown, report: Report): void {
  for (const [steps, server] of items(written, 'engine', 'servers')) {
    for (const [theirs, ours] of [
      ['readTimeout', 'idleSeconds'],
      ['writeTimeout', 'sendStallSeconds'],
    ] as const) {
      if (at(server, theirs) === undefined || at(server, 'limits', ours) === undefined) continue;
      report([...steps, theirs], `is the same setting as limits.${ours}`, 'name one of them');
    }
  }
}

/** No two listeners on one port of one transport, unless they listen on different addresses. */
function checkPorts({ written, read }: Subject, report: Report): void {
  const places: Step[][] = [
    ['engine', 'meshPoint'],
    ['engine', 'apiServer'],
  ];
  // An engine alone does not open the centre's ports.
  if (at(written, 'center') !== undefined) places.push(['center', 'registry'], ['center', 'apiServer']);
  const listeners = places.map((steps) => ({ steps, listener: at(read, ...steps) }));
  for (const [steps, listener] of items(read, 'engine', 'servers')) listeners.push({ steps, listener });

  const taken: { port: number; transport: string; bind: unknown; steps: Step[] }[] = [];
  for (const { steps, listener } of listeners) {
    const port = at(listener, 'port');
    if (typeof port !== 'number' || port === 0) continue;
    const udp =
      (at(listener, 'transport') ?? (at(listener, 'protocol') === 'coap' ? 'udp' : 'tcp')) === 'udp';
    const entry = { port, transport: udp ? 'udp' : 'tcp', bind: at(listener, 'bind'), steps };
    const other = taken.find((known) => collide(known, entry));
    if (other) {
      const first = formatPath([...other.steps, 'port']);
      report([...steps, 'port'], `must differ from ${first}: both are ${entry.transport} port ${port}`);
    }
    taken.push(entry);
  }
}

function collide(
  a: { port: number; transport: string; bind: unknown },
  b: { port: number; transport: string; bind: unknown },
): boolean {
  const sameAddress = a.bind === b.bind || isEveryAddress(a.bind) || isEveryAddress(b.bind);
  return a.port === b.port && a.transport === b.transport && sameAddress;
}

function isEveryAddress(bind: unknown): boolean {
  return bind === '0.0.0.0' || bind === '::';
}

/** Servers and links share one space of names: they are labels in logs and metrics. Sinks have their own. */
function checkNames(read: unknown, report: Report): void {
  const everything = [...items(read, 'engine', 'servers'), ...items(read, 'engine', 'links')];
  reportRepeated(everything, report);
  reportRepeated(items(read, 'sinks'), report);
}

function reportRepeated(entries: readonly [Step[], unknown][], report: Report): void {
  const seen = new Map<string, Step[]>();
  for (const [steps, entry] of entries) {
    const name = at(entry, 'name');
    if (typeof name !== 'string') continue;
    const first = seen.get(name);
    if (first) report([...steps, 'name'], `must be unique: ${formatPath(first)} is named ${name} too`);
    else seen.set(name, steps);
  }
}

/** What cannot be spoken over UDP. */
const STREAMED = new Set(['websocket', 'mqtt', 'http', 'auto']);
/** What cannot be spoken in WebSocket messages. */
const UNWRAPPED = new Set(['coap', 'http', 'auto']);

/** What a server speaks must fit what it listens on. */
function checkServers(read: unknown, report: Report): void {
  for (const [steps, server] of items(read, 'engine', 'servers')) {
    const protocol = at(server, 'protocol');
    checkWebSocket(steps, server, report);
    if (at(server, 'transport') === 'udp') {
      if (typeof protocol === 'string' && STREAMED.has(protocol)) {
        report([...steps, 'transport'], `must be tcp for protocol ${protocol}`);
      }
      if (at(server, 'tls') !== undefined) report([...steps, 'tls'], 'needs transport tcp');
    }
    if (protocol === 'mqtt') checkLossless(steps, server, report);
  }
}

/** A packet of MQTT refers to others: none can be left out. */
function checkLossless(steps: readonly Step[], server: unknown, report: Report): void {
  for (const [key, word] of [
    ['sendOverflow', 'dropOldest'],
    ['messageOverflow', 'drop'],
  ] as const) {
    if (at(server, 'limits', key) === word)
      report([...steps, 'limits', key], `must not be ${word} for protocol mqtt, which loses no packet`);
  }
}

/** Settings of WebSockets stand where WebSockets are spoken, and a ping comes before a client counts as idle. */
function checkWebSocket(steps: readonly Step[], server: unknown, report: Report): void {
  const protocol = at(server, 'protocol');
  if (at(server, 'transport') === 'ws' && typeof protocol === 'string' && UNWRAPPED.has(protocol)) {
    report([...steps, 'transport'], `must not be ws for protocol ${protocol}`);
  }
  const settings = at(server, 'websocket');
  const set = Object.entries(settings ?? {}).find(([, value]) => value !== undefined && value !== false);
  if (set && !speaksWebSocket(server)) {
    report([...steps, 'websocket'], 'needs protocol websocket or auto, or transport ws');
  }
  const [ping, idle] = [at(settings, 'pingSeconds'), at(server, 'limits', 'idleSeconds')];
  if (typeof ping === 'number' && typeof idle === 'number' && idle > 0 && ping >= idle) {
    report(
      [...steps, 'websocket', 'pingSeconds'],
      `must be less than limits.idleSeconds, which is ${idle} s`,
    );
  }
}

function speaksWebSocket(server: unknown): boolean {
  const protocol = at(server, 'protocol');
  return protocol === 'websocket' || protocol === 'auto' || at(server, 'transport') === 'ws';
}

function checkRedis(read: unknown, report: Report): void {
  const servers = items(read, 'engine', 'luavm', 'redis');
  reportRepeated(servers, report);
  for (const [steps, redis] of servers) {
    const [idle, pool] = [at(redis, 'minIdleConns'), at(redis, 'poolSize')];
    if (typeof idle === 'number' && typeof pool === 'number' && idle > pool) {
      report([...steps, 'poolSize'], `must be at least minIdleConns, which is ${idle}`);
    }
  }
}

/** Kinds of links at which no simulated device can play. */
const NOT_PLAYED: ReadonlySet<unknown> = new Set(['udp', 'websocket', 'mqtt']);

/** Simulated devices play at servers and links of this file, and must be able to. */
function checkSimulated(read: unknown, report: Report): void {
  const played = new Set<unknown>();
  for (const [steps, device] of items(read, 'dev', 'simulate')) {
    for (const [key, list] of [
      ['server', 'servers'],
      ['link', 'links'],
    ] as const) {
      const name = at(device, key);
      if (typeof name !== 'string') continue;
      const entries = items(read, 'engine', list).map(([, entry]) => entry);
      const target = entries.find((entry) => at(entry, 'name') === name);
      const names = entries.map((entry) => at(entry, 'name'));
      // One whose name could not be derived, since it is wrong itself, may be meant.
      if (target === undefined && names.every((known) => typeof known === 'string')) {
        const hint = `there are: ${names.join(', ') || 'none'}`;
        report(
          [...steps, key],
          `must be the name of one of engine.${list}, got ${JSON.stringify(name)}`,
          hint,
        );
      } else if (at(target, 'tls') !== undefined || NOT_PLAYED.has(at(target, 'kind'))) {
        report([...steps, key], 'must be a server without TLS, or a serial or tcp link');
      } else if (speaksWebSocket(target)) {
        report([...steps, key], 'must not be a WebSocket server');
      } else if (key === 'link' && played.has(name)) {
        report(
          [...steps, key],
          'has a simulated device already',
          'one script can answer for several devices',
        );
      }
      if (key === 'link') played.add(name);
    }
  }
}

/** Design §4: what listens beyond this machine needs users or a join token, or a word that this is meant. */
function checkExposure(read: unknown, report: Report): void {
  if (at(read, 'access', 'open') === true) return;
  const hasUsers = items(read, 'access', 'users').length > 0;
  const engineToken = at(read, 'engine', 'joinToken') !== undefined;
  const centerToken = engineToken || at(read, 'center', 'joinToken') !== undefined;
  const doors: [Step[], boolean, string][] = [
    [['center', 'registry'], centerToken, 'center.joinToken'],
    [['center', 'apiServer'], hasUsers, 'access.users'],
    [['engine', 'meshPoint'], engineToken, 'engine.joinToken'],
    [['engine', 'apiServer'], hasUsers, 'access.users'],
  ];
  for (const [steps, guarded, needs] of doors) {
    const bind = at(read, ...steps, 'bind');
    if (guarded || typeof bind !== 'string' || isLoopback(bind)) continue;
    report(
      [...steps, 'bind'],
      `must be a loopback address such as 127.0.0.1 unless ${needs} is set, got ${JSON.stringify(bind)}`,
      'access: { open: true } says that an open door is meant',
    );
  }
}

function isLoopback(bind: string): boolean {
  return bind === 'localhost' || bind === '::1' || bind.startsWith('127.');
}

/** Reports files that cannot be read, and puts absolute paths in the place of the others. */
export function resolveFiles({ written, read }: Subject, bases: Bases, report: Report): void {
  const resolveIn = (owner: unknown, key: Step, kind: 'file' | 'folder', steps: readonly Step[]): void => {
    const path = at(owner, key);
    if (typeof path !== 'string') return;
    const found = findPath(path, kind, bases);
    const tried = candidates(path, bases);
    if (found === undefined && at(written, ...steps, key) !== undefined) {
      report([...steps, key], `must be a readable ${kind}; there is none at ${tried.join(' or ')}`);
    }
    (owner as Record<Step, unknown>)[key] = found ?? tried[0];
  };
  for (const list of ['servers', 'links']) {
    for (const [steps, owner] of items(read, 'engine', list)) {
      resolveIn(owner, 'entry', 'file', steps);
    }
  }
  for (const { owner, key, steps } of tlsFiles(read)) resolveIn(owner, key, 'file', steps);
  for (const [steps, device] of items(read, 'dev', 'simulate')) {
    for (const key of ['capture', 'script']) resolveIn(device, key, 'file', steps);
  }
  const roots = at(read, 'script', 'roots');
  items(read, 'script', 'roots').forEach((_, index) => {
    resolveIn(roots, index, 'folder', ['script', 'roots']);
  });
}
