/**
 * From a file to a checked {@link Config}, or to one error that tells all problems.
 */

import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import * as v from 'valibot';
import { messageOf } from '../errors.js';
import type { Environment } from './environment.js';
import type { Bases } from './files.js';
import { formatSize } from './measures.js';
import { ConfigError, formatPath, type Problem, type Report, type Step } from './problems.js';
import { checkBoard, checkRules, resolveFiles } from './rules.js';
import { type Config, configSchema } from './schema.js';
import { MAX_FILE_BYTES, readYaml } from './yaml.js';

/** Most problems told at once; what is beyond them is only counted. */
const MAX_PROBLEMS = 100;

/** Where a configuration's variables and relative paths come from; the process's own by default. */
export interface LoadOptions {
  readonly env?: Environment;
  readonly cwd?: string;
  /** Names `board` may have beside auto; without them any name passes here. */
  readonly boards?: readonly string[];
}

/** A configuration that can be used. */
export interface LoadedConfig {
  /** Checked, complete and frozen. */
  readonly config: Config;
  /** What was read but has no effect here. */
  readonly notices: readonly Problem[];
}

/** Loads and checks a file; throws {@link ConfigError} with all of its problems. */
export function loadConfig(
  file: string,
  options: LoadOptions = {},
): LoadedConfig & { readonly text: string } {
  const text = readConfig(file);
  return { ...parseConfig(text, file, options), text };
}

/** The text of a file; throws {@link ConfigError} when it cannot be read, is too large or is no UTF-8. */
export function readConfig(file: string): string {
  let bytes: Buffer;
  try {
    bytes = readBounded(file);
  } catch (error) {
    throw failure(file, describeRead(error));
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw failure(file, 'is not UTF-8 text');
  }
}

/** Checks the text of a configuration; `file` names it in problems, and its folder is a base for paths in it. */
export function parseConfig(text: string, file: string, options: LoadOptions = {}): LoadedConfig {
  if (text.length > MAX_FILE_BYTES) throw failure(file, tooLarge());
  const { env = process.env, cwd = process.cwd() } = options;
  const tree = readYaml(text, env);
  const problems = [...tree.problems];
  const notices: Problem[] = [];
  const place: Placed = (steps, target) => ({ ...tree.place(steps, target), path: formatPath(steps) });
  if (tree.value === undefined && problems.length > 0) throw new ConfigError(file, inOrder(problems));

  const written = withoutIgnored(tree.value ?? {}, into(notices, place, 'key'));
  const bases = [resolve(cwd), resolve(cwd, dirname(file))] as const;
  const config = checked({ settings: written, written, problems, place, bases, boards: options.boards });
  if (config === undefined) throw new ConfigError(file, inOrder(problems));
  return { config, notices };
}

/**
 * Checks settings that a program gives as an object like the one in a file; throws {@link ConfigError}, in which
 * `name` stands for the file. Paths in it are relative to the working folder. `written`: what of it the program gave;
 * files that were filled in for it are not looked for.
 */
export function checkSettings(settings: object, name: string, written = settings): Config {
  const problems: Problem[] = [];
  // What a program gives has no lines.
  const place: Placed = (steps) => ({ line: 0, column: 0, path: formatPath(steps) });
  const config = checked({ settings, written, problems, place, bases: [process.cwd()] });
  if (config === undefined) throw new ConfigError(name, inOrder(problems));
  return config;
}

/** Where a setting stands. */
type Placed = (steps: readonly Step[], target: 'key' | 'value') => Pick<Problem, 'line' | 'column' | 'path'>;

function into(list: Problem[], place: Placed, target: 'key' | 'value'): Report {
  return (steps, message, hint) => {
    list.push({ ...place(steps, target), message, ...(hint !== undefined && { hint }) });
  };
}

/** What is to be checked; `problems` may hold some already. */
interface Check {
  readonly settings: unknown;
  readonly written: unknown;
  readonly problems: Problem[];
  readonly place: Placed;
  readonly bases: Bases;
  readonly boards?: readonly string[] | undefined;
}

/** The configuration that settings make; undefined when there are problems, to which it adds what it finds. */
function checked({ settings, written, problems, place, bases, boards }: Check): Config | undefined {
  const result = v.safeParse(configSchema, settings);
  for (const issue of result.issues ?? []) {
    const path = issue.path ?? [];
    const target = path.at(-1)?.origin === 'key' ? 'key' : 'value';
    into(
      problems,
      place,
      target,
    )(
      path.map((item) => item.key as Step),
      issue.message,
    );
  }
  const subject = { written, read: result.output };
  const report = into(problems, place, 'value');
  checkRules(subject, report);
  if (boards) checkBoard(subject, boards, report);
  resolveFiles(subject, bases, report);
  return result.success && problems.length === 0 ? deepFreeze(result.output) : undefined;
}

function readBounded(file: string): Buffer {
  const descriptor = openSync(file, 'r');
  try {
    const found = fstatSync(descriptor);
    if (!found.isFile()) throw new Error('is not a file');
    if (found.size > MAX_FILE_BYTES) throw new Error(tooLarge());
    return readFileSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function tooLarge(): string {
  return `is too large: at most ${formatSize(MAX_FILE_BYTES)}`;
}

function describeRead(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'ENOENT') return 'does not exist';
  if (code === 'EACCES' || code === 'EPERM') return 'may not be read by this user';
  return messageOf(error);
}

function failure(file: string, message: string): ConfigError {
  return new ConfigError(file, [{ line: 1, column: 1, path: '', message }]);
}

/** The settings without those of CONNMIX that mean nothing here; each gives a notice. */
function withoutIgnored(value: unknown, notice: Report): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const { licenses, prometheus, ...rest } = value as Record<string, unknown>;
  if (Object.hasOwn(value, 'licenses')) notice(['licenses'], 'has no meaning here and is ignored');
  if (!Object.hasOwn(value, 'prometheus')) return rest;
  if (typeof prometheus !== 'object' || prometheus === null) return { ...rest, prometheus };
  const { summary: _, ...others } = prometheus as Record<string, unknown>;
  if (Object.hasOwn(prometheus, 'summary')) {
    notice(['prometheus', 'summary'], 'has no meaning here and is ignored');
  }
  return Object.keys(others).length === 0 ? rest : { ...rest, prometheus: others };
}

/** Problems in the order of the file, not more than can be read. */
function inOrder(problems: Problem[]): Problem[] {
  problems.sort((a, b) => a.line - b.line || a.column - b.column);
  const kept = problems.slice(0, MAX_PROBLEMS);
  const last = kept.at(-1);
  const more = problems.length - kept.length;
  if (last && more > 0) kept.push({ ...last, path: '', message: `and ${more} more problems` });
  return kept;
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    Object.values(value).forEach(deepFreeze);
  }
  return value;
}
