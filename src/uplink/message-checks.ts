/** What each message must hold: types, ranges and lengths of its fields, checked before anything uses them. */

import { MoonwireError } from '../errors.js';
import { NODES, SEQUENCES } from '../store/ids.js';
import { MAX_REPORT_TEXT } from '../store/reported.js';
import {
  CHANGES_PER_MESSAGE,
  type Message,
  OUTCOMES,
  PEERS_PER_MESSAGE,
  REPORTS_PER_MESSAGE,
} from './messages.js';

/** What a value must be, in words, and whether it is. */
interface Check {
  readonly expected: string;
  ok(value: unknown): boolean;
}

/** Fields by their key; those marked optional may be absent. */
type Fields = readonly (readonly [key: string, check: Check, optional?: 'optional'])[];

/** Reads a decoded item: the message, or undefined when its type is not known. */
export function readMessage(value: unknown): Message | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof Uint8Array) {
    throw new MoonwireError('decode_error', 'a message must be a map');
  }
  if (value instanceof Map) throw new MoonwireError('decode_error', 'the keys of a message must be text');
  const { t } = value as { t?: unknown };
  if (typeof t !== 'string') throw new MoonwireError('decode_error', 'a message needs its type as text', 't');
  const fields = MESSAGES.get(t);
  if (!fields) return undefined;
  const wrong = firstWrong(value as Record<string, unknown>, fields);
  if (wrong) {
    const [key, { expected }] = wrong;
    throw new MoonwireError('decode_error', `message ${t}: ${key} must be ${expected}`, key);
  }
  return value as Message;
}

function firstWrong(value: Record<string, unknown>, fields: Fields): Fields[number] | undefined {
  return fields.find(([key, check, optional]) => {
    const field = value[key];
    return field === undefined ? optional === undefined && !check.ok(field) : !check.ok(field);
  });
}

function whole(least: number, most: number): Check {
  return {
    expected: `a whole number from ${least} to ${most}`,
    ok: (value) => Number.isInteger(value) && (value as number) >= least && (value as number) <= most,
  };
}

function text(least: number, most: number): Check {
  return {
    expected: `text of ${least} to ${most} characters`,
    ok: (value) => typeof value === 'string' && value.length >= least && value.length <= most,
  };
}

function matching(pattern: RegExp, expected: string): Check {
  return { expected, ok: (value) => typeof value === 'string' && pattern.test(value) };
}

function bytes(length: number): Check {
  return {
    expected: `${length} bytes`,
    ok: (value) => value instanceof Uint8Array && value.length === length,
  };
}

function list(item: Check, most: number): Check {
  return {
    expected: `a list of at most ${most} items, each ${item.expected}`,
    ok: (value) => Array.isArray(value) && value.length <= most && value.every((each) => item.ok(each)),
  };
}

function map(fields: Fields): Check {
  const described = fields.map(([key, { expected }]) => `${key} (${expected})`).join(', ');
  return {
    expected: `a map of ${described}`,
    ok: (value) => isMap(value) && firstWrong(value, fields) === undefined,
  };
}

function isMap(value: unknown): value is Record<string, unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Map) &&
    !(value instanceof Uint8Array)
  );
}

const ANYTHING: Check = { expected: 'a value', ok: () => true };
/** Data may be null, never missing. */
const DATA: Check = { expected: 'a value', ok: (value) => value !== undefined };
const FLAG: Check = { expected: 'true or false', ok: (value) => typeof value === 'boolean' };
const SECONDS: Check = {
  expected: 'a finite number',
  ok: (value) => typeof value === 'number' && Number.isFinite(value),
};
const TYPE = matching(/^(text|binary)$/, '"text" or "binary"');
const COUNT = whole(0, Number.MAX_SAFE_INTEGER);
const CLIENT = whole(0, NODES * SEQUENCES - 1);
const NODE = whole(1, NODES - 1);
const NAME = matching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, 'a name of 1 to 63 letters, digits or ._-');
const ADDRESS = matching(/^[A-Za-z0-9._:%[\]-]{0,256}:\d{1,5}$/, '"host:port"');
const CHANNEL = text(0, 256);
const DEVICE = text(1, MAX_REPORT_TEXT);
const CODE = text(1, 64);
const COMMAND = matching(/^[\w-]{1,64}$/, 'an id of 1 to 64 letters, digits, _ or -');
const OUTCOME: Check = {
  expected: `one of ${OUTCOMES.join(', ')}`,
  ok: (value) => OUTCOMES.some((outcome) => outcome === value),
};
const SENTENCE = text(0, 4096);
const KEY = bytes(32);
const NONCE = bytes(32);
const SIGNATURE = bytes(64);

const MAX_LABELS = 64;
const LABELS: Check = {
  expected: `a map of at most ${MAX_LABELS} names to texts of at most 256 characters`,
  ok: (value) =>
    isMap(value) &&
    Object.keys(value).length <= MAX_LABELS &&
    Object.entries(value).every(
      ([key, label]) => NAME.ok(key) && typeof label === 'string' && label.length <= 256,
    ),
};

const ATTACHMENT: Check = {
  expected: 'a device and a client id',
  ok: (value) => Array.isArray(value) && value.length === 2 && DEVICE.ok(value[0]) && CLIENT.ok(value[1]),
};

const EPOCH = whole(0, 2 ** 48 - 1);
const SEQUENCE = whole(1, Number.MAX_SAFE_INTEGER);
/** What an outbox adds to a quality has room too. */
const REPORT_TEXT = text(0, 2 * MAX_REPORT_TEXT);
const REPORT: Check = {
  expected: '[seq, device, time or null, mono, values, topic or null, quality or null]',
  ok: (value) =>
    Array.isArray(value) &&
    value.length === 7 &&
    SEQUENCE.ok(value[0]) &&
    DEVICE.ok(value[1]) &&
    (value[2] === null || SECONDS.ok(value[2])) &&
    SECONDS.ok(value[3]) &&
    (value[5] === null || REPORT_TEXT.ok(value[5])) &&
    (value[6] === null || REPORT_TEXT.ok(value[6])),
};
const RANGES: Check = {
  expected: `at most ${REPORTS_PER_MESSAGE} ranges of sequences, ascending and apart`,
  ok: (value) =>
    Array.isArray(value) &&
    value.length <= REPORTS_PER_MESSAGE &&
    value.every(
      (range, i) =>
        Array.isArray(range) &&
        range.length === 2 &&
        range.every(SEQUENCE.ok) &&
        range[0] <= range[1] &&
        (i === 0 || range[0] > value[i - 1][1] + 1),
    ),
};

const PEER = map([
  ['name', NAME],
  ['node', NODE],
  ['key', KEY],
  ['mesh', ADDRESS, 'optional'],
  ['api', ADDRESS, 'optional'],
  ['version', text(0, 64), 'optional'],
]);
const PEERS = list(PEER, PEERS_PER_MESSAGE);

function changes(added: Check, removed = added): Check {
  return map([
    ['add', list(added, CHANGES_PER_MESSAGE)],
    ['del', list(removed, CHANGES_PER_MESSAGE)],
  ]);
}

const MESSAGES = new Map<string, Fields>(
  Object.entries({
    hello: [
      ['v', whole(0, 2 ** 31)],
      ['name', NAME],
      ['key', KEY],
      ['nonce', NONCE],
      ['version', text(0, 64)],
      ['labels', LABELS],
      ['mesh', ADDRESS, 'optional'],
      ['api', ADDRESS, 'optional'],
      ['node', NODE, 'optional'],
      ['silence', whole(1, 7200), 'optional'],
    ],
    challenge: [
      ['nonce', NONCE],
      ['time', SECONDS],
      ['key', KEY, 'optional'],
      ['sig', SIGNATURE, 'optional'],
    ],
    prove: [
      ['sig', SIGNATURE],
      ['token', bytes(32), 'optional'],
    ],
    welcome: [
      ['node', NODE],
      ['time', SECONDS],
      ['peers', PEERS],
    ],
    refused: [
      ['code', CODE],
      ['text', SENTENCE],
    ],
    peers: [
      ['peers', PEERS],
      ['gone', list(NODE, CHANGES_PER_MESSAGE), 'optional'],
    ],
    req: [
      ['id', COUNT],
      ['m', CODE],
      ['p', ANYTHING, 'optional'],
    ],
    res: [
      ['id', COUNT],
      ['r', ANYTHING, 'optional'],
      [
        'e',
        map([
          ['code', CODE],
          ['text', SENTENCE],
        ]),
        'optional',
      ],
    ],
    reg: [
      ['n', COUNT],
      ['full', FLAG, 'optional'],
      [
        'servers',
        list(
          map([
            ['name', NAME],
            ['protocol', CODE],
            ['transport', CODE],
            ['port', whole(0, 65_535), 'optional'],
          ]),
          1024,
        ),
        'optional',
      ],
      ['labels', LABELS, 'optional'],
      [
        'stats',
        map([
          ['clients', COUNT],
          ['messages', COUNT],
          ['memory', COUNT],
        ]),
        'optional',
      ],
      ['channels', changes(CHANNEL), 'optional'],
      ['clients', changes(CLIENT), 'optional'],
      ['devices', changes(ATTACHMENT, DEVICE), 'optional'],
    ],
    resend: [],
    chan: [
      ['full', FLAG, 'optional'],
      ['add', list(CHANNEL, CHANGES_PER_MESSAGE)],
      ['del', list(CHANNEL, CHANGES_PER_MESSAGE)],
    ],
    send: [
      ['id', COUNT],
      ['c', CLIENT],
      ['d', DATA],
      ['y', TYPE, 'optional'],
    ],
    call: [
      ['id', COUNT],
      ['c', CLIENT],
      ['f', CODE],
      ['a', list(DATA, 64)],
    ],
    pub: [
      ['id', COUNT],
      ['ch', CHANNEL],
      ['d', DATA],
      ['y', TYPE, 'optional'],
      ['except', list(NODE, CHANGES_PER_MESSAGE), 'optional'],
    ],
    done: [
      ['id', COUNT],
      ['s', COUNT],
      ['f', COUNT],
      ['e', SENTENCE, 'optional'],
    ],
    rec: [
      ['epoch', EPOCH],
      ['boot', text(0, 64)],
      ['r', list(REPORT, REPORTS_PER_MESSAGE)],
    ],
    ack: [
      ['epoch', EPOCH],
      ['ranges', RANGES],
    ],
    trace: [['c', CLIENT]],
    event: [['e', { expected: 'a map', ok: isMap }]],
    end: [['e', SENTENCE, 'optional']],
    cmd: [
      ['id', COMMAND],
      ['device', DEVICE],
      ['name', CODE],
      ['params', ANYTHING, 'optional'],
      ['expires', SECONDS],
      ['idempotent', FLAG],
      ['late', FLAG, 'optional'],
    ],
    state: [
      ['id', COMMAND],
      ['state', OUTCOME],
      ['at', SECONDS],
      ['result', ANYTHING, 'optional'],
      ['error', SENTENCE, 'optional'],
    ],
    kept: [['id', COMMAND]],
    error: [['code', CODE]],
  } satisfies Record<Message['t'], Fields>),
);
