/** What is asked of a device, and its bounds. */

import { cborCodec } from '../codecs/cbor.js';
import { type ErrorCode, MoonwireError, messageOf } from '../errors.js';
import { isText } from '../uplink/sendable.js';

const CBOR = cborCodec();

/** Most bytes of parameters, and of a result, in CBOR. */
const MAX_VALUE_BYTES = 32 * 1024;
/** Most levels of nesting in them. */
const MAX_NESTING = 32;
const DEFAULT_TTL = 3600;
/** Longest `ttl` in seconds. */
export const MAX_TTL = 30 * 86_400;
/** What is asked of a device. */
export interface CommandRequest {
  /** 1 to 64 characters. */
  readonly name: string;
  /** Plain values, at most {@link MAX_VALUE_BYTES} of CBOR and {@link MAX_NESTING} levels. */
  readonly params?: unknown;
  /** Seconds within which it must have been begun; 3600. */
  readonly ttl?: number | undefined;
  /** The requester's name for it: a second request with the same one is the first, once more. */
  readonly idempotencyKey?: string | undefined;
  /** Whether it may be done twice. */
  readonly idempotent?: boolean | undefined;
}

/** A request with its defaults. */
export interface CheckedRequest {
  readonly name: string;
  readonly params: unknown;
  readonly ttl: number;
  readonly key: string | undefined;
  readonly idempotent: boolean;
}

/** Throws `invalid_argument`, `too_large`. */
export function checkRequest(device: string, request: CommandRequest): CheckedRequest {
  const { name, params = null, ttl = DEFAULT_TTL, idempotencyKey: key, idempotent = false } = request;
  checkText('device', device, 256);
  checkText('name', name, 64);
  if (key !== undefined) checkText('idempotencyKey', key, 256);
  if (!(ttl >= 1 && ttl <= MAX_TTL)) throw invalid(`ttl must be from 1 to ${MAX_TTL} seconds`);
  checkValue('params', params);
  return { name, params, ttl, key, idempotent };
}

/** Whether two requests have the same parameters. */
export function isSame(a: unknown, b: unknown): boolean {
  return Buffer.compare(CBOR.encode(a), CBOR.encode(b)) === 0;
}

function invalid(text: string): MoonwireError {
  return new MoonwireError('invalid_argument', text);
}

/** The code of what was thrown. */
export function codeOf(error: unknown): ErrorCode {
  return error instanceof MoonwireError ? error.code : 'internal';
}

function checkText(what: string, text: string, most: number): void {
  if (text.length < 1 || text.length > most || !isText(text)) {
    throw invalid(`${what} must be text of 1 to ${most} characters`);
  }
}

/** Throws `invalid_argument`, `too_large`. */
function checkValue(what: string, value: unknown): void {
  if (nesting(value) > MAX_NESTING) throw invalid(`${what} must be nested at most ${MAX_NESTING} deep`);
  const { length } = CBOR.encode(value);
  if (length <= MAX_VALUE_BYTES) return;
  throw new MoonwireError('too_large', `${what} have at most ${MAX_VALUE_BYTES} bytes, got ${length}`);
}

/** A result as it can be kept; else why not. */
export function resultOf(result: unknown): { result?: unknown; error?: string } {
  try {
    checkValue('results', result);
    return { result };
  } catch (error) {
    return { error: `${codeOf(error)}: the result is left out: ${messageOf(error)}` };
  }
}

/** Levels of arrays and maps; one more than {@link MAX_NESTING} stands for any number above. */
function nesting(value: unknown, level = 0): number {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return level;
  if (level > MAX_NESTING) return level;
  const items = value instanceof Map ? [...value].flat() : Object.values(value);
  return items.reduce<number>((most, item) => Math.max(most, nesting(item, level + 1)), level + 1);
}
