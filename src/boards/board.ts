/** What a file of `boards/` says: the type, and the check of the file. */

import * as v from 'valibot';
import { parse } from 'yaml';
import { MoonwireError, messageOf } from '../errors.js';

const text = v.pipe(v.string('must be text'), v.minLength(1, 'must not be empty'), v.maxLength(2000));
const device = v.pipe(text, v.regex(/^\/dev\/[\w/.-]+$/, 'must be a path in /dev'));
const portName = v.pipe(
  v.string(),
  v.regex(/^[a-z][a-z0-9-]{0,30}$/, 'must be a name such as uart0 or rs485-1'),
);
const flag = v.pipe(text, v.regex(/^--[a-z0-9-]+(=\d+)?$/, 'must be a flag such as --max-old-space-size=96'));
const list = <T extends v.GenericSchema>(item: T) => v.pipe(v.array(item), v.maxLength(64));

/** A UART of the board. */
const uart = v.strictObject({
  /** Device paths it may have, the likeliest first. */
  paths: v.pipe(list(device), v.minLength(1, 'needs at least one path')),
  /** Its node in the device tree, by which it is found whatever its number is. */
  node: v.optional(v.pipe(text, v.regex(/^[\w,.-]+@[0-9a-f]+$/, 'must be a node such as serial@7e201000'))),
  /** Where it comes out, for people. */
  pins: text,
  /** Whether it can send and check parity bits. */
  parity: v.optional(v.boolean(), true),
  /** Lines of the board's configuration file that enable it; none for one that is always there. */
  enable: v.optional(list(text), []),
  /** The alias that names its node in the device tree only while it is wired to its pins. */
  wired: v.optional(text),
  /** What else uses it or its pins. */
  conflicts: v.optional(list(text), []),
});

/** An RS-485 port: a UART with a line driver. */
const rs485 = v.strictObject({
  /** Name of its UART. */
  uart: portName,
  /** Who turns the line from receiving to sending: the adapter's own circuit, or the kernel by the RTS pin. */
  direction: v.picklist(['adapter', 'kernel'], 'must be adapter or kernel'),
  /** What is meant to be connected. */
  about: text,
  /** What to type to have the kernel turn the line. */
  kernel: v.optional(list(text), []),
});

/** V8 flags for machines below a size; the last entry has no size. */
const profile = v.strictObject({
  /** Memory in MiB below which these flags are right. */
  below: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1))),
  flags: list(flag),
});

const schema = v.strictObject({
  /** Its name, for people. */
  title: text,
  /** Names of the device tree's `compatible` that mean this board, matched first. */
  compatible: v.optional(list(text), []),
  /** Patterns of the device tree's `model`; `*` is any text. */
  model: v.optional(list(text), []),
  /** Processor architectures as in `process.arch`; a board without model and compatible is chosen by them alone. */
  arch: v.pipe(list(v.picklist(['arm', 'arm64', 'x64'], 'must be arm, arm64 or x64')), v.minLength(1)),
  /** Files that enable what a UART needs; the first that exists is the one. */
  config: v.optional(
    v.strictObject({
      files: v.pipe(list(text), v.minLength(1)),
      /** Whether a key stands once in the file, with its words separated by spaces. */
      merge: v.optional(v.boolean(), false),
    }),
  ),
  /** What to type so that no console or login uses a UART; `TTY` stands for its name. */
  console: v.optional(list(text), []),
  serial: v.optional(v.record(portName, uart), {}),
  rs485: v.optional(v.record(portName, rs485), {}),
  memory: v.pipe(list(profile), v.minLength(1)),
  watchdog: v.optional(
    v.strictObject({
      device,
      /** Longest time in seconds the hardware can wait. */
      maxSeconds: v.pipe(v.number(), v.minValue(1), v.maxValue(86_400)),
      enable: v.optional(list(text), []),
    }),
  ),
  /** Facts with the document each comes from. */
  notes: v.pipe(list(v.strictObject({ fact: text, source: text })), v.minLength(1)),
});

/** A board, with the name of its file. */
export type Board = v.InferOutput<typeof schema> & { readonly name: string };
/** One of a board's UARTs. */
export type Uart = Board['serial'][string];
/** One of a board's RS-485 ports. */
export type Rs485 = Board['rs485'][string];

/** Reads a board's file; throws MoonwireError `invalid_argument` with each problem and its place. */
export function parseBoard(name: string, yaml: string): Board {
  let value: unknown;
  try {
    value = parse(yaml);
  } catch (error) {
    throw invalid(name, [`is not valid YAML: ${messageOf(error).split('\n')[0]}`]);
  }
  const result = v.safeParse(schema, value);
  if (!result.success) {
    throw invalid(
      name,
      result.issues.map((issue) => `${v.getDotPath(issue) ?? 'the file'}: ${describe(issue)}`),
    );
  }
  const board = { name, ...result.output };
  const problems = contradictions(board);
  if (problems.length > 0) throw invalid(name, problems);
  return board;
}

/** Valibot's own words for keys tell types, not what is wrong. */
function describe(issue: v.BaseIssue<unknown>): string {
  if (issue.type !== 'strict_object') return issue.message;
  if (issue.expected === 'never') return 'is not a known key';
  return issue.expected === 'Object' ? 'must be a map' : 'is missing';
}

/** What fits the schema and yet cannot be right. */
function contradictions(board: Board): string[] {
  const problems: string[] = [];
  for (const [port, { uart }] of Object.entries(board.rs485)) {
    if (!Object.hasOwn(board.serial, uart)) {
      problems.push(`rs485.${port}.uart: must be one of ${Object.keys(board.serial).join(', ')}`);
    }
    if (Object.hasOwn(board.serial, port)) problems.push(`rs485.${port}: is the name of a UART too`);
  }
  const enabling = [...Object.values(board.serial), ...(board.watchdog ? [board.watchdog] : [])];
  const needsFile = enabling.some(({ enable }) => enable.length > 0);
  if (needsFile && board.config === undefined)
    problems.push('config: must name the file for the lines of enable');
  board.memory.forEach(({ below }, index) => {
    const last = index === board.memory.length - 1;
    const before = board.memory[index - 1]?.below ?? 0;
    if ((below === undefined) !== last || (below ?? Infinity) <= before) {
      problems.push(`memory.${index}.below: must rise, and be left out of the last entry only`);
    }
  });
  return problems;
}

function invalid(name: string, problems: readonly string[]): MoonwireError {
  const place = `boards/${name}.yaml`;
  return new MoonwireError(
    'invalid_argument',
    problems.map((problem) => `${place}: ${problem}`).join('\n'),
    place,
  );
}
