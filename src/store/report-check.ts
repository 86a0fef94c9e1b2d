/** What may be reported: plain data within bounds, refused by name of the place otherwise. */

import { MoonwireError } from '../errors.js';
import type { OutboxReport } from './outbox-options.js';
import { MAX_REPORT_TEXT } from './reported.js';

/** Deepest nesting of values. */
const MAX_DEPTH = 16;
/** What would damage a log line, a topic or a header, and what was no UTF-8. */
const ODD = /[\p{Cc}\p{Surrogate}\ufffd]/u;
/** Half a character of UTF-16, which UTF-8 cannot express. */
const HALF = /\p{Surrogate}/u;

/**
 * The bytes a reading takes in CBOR, closely. Throws `invalid_argument` for what cannot be reported, `too_large` for
 * values beyond `maxBytes`; both name the place.
 */
export function measureReport(report: Omit<OutboxReport, 'durable'>, maxBytes: number): number {
  const { deviceId, values, time, topic = '', quality = '' } = report;
  if (deviceId === '') throw new MoonwireError('invalid_argument', 'the device id is empty');
  checkText('the device id', deviceId);
  checkText('the topic', topic);
  checkText('the quality', quality);
  if (time !== undefined && !Number.isFinite(time)) {
    throw new MoonwireError('invalid_argument', `the time is ${time}: it must be Unix seconds`);
  }
  const bytes = new Measure(maxBytes).value(values, 0);
  // Seven fields: sequence, two clocks, and the texts.
  return bytes + 34 + deviceId.length + topic.length + quality.length;
}

function checkText(what: string, text: string): void {
  if (text.length > MAX_REPORT_TEXT) {
    throw new MoonwireError('invalid_argument', `${what} has at most ${MAX_REPORT_TEXT} characters`);
  }
  if (ODD.test(text)) {
    throw new MoonwireError('invalid_argument', `${what} must be UTF-8 text without control characters`);
  }
}

class Measure {
  private readonly path: (string | number)[] = [];
  private bytes = 0;

  constructor(private readonly maxBytes: number) {}

  value(value: unknown, depth: number): number {
    // Before the sum is read: an item adds what it holds.
    const own = 1 + this.item(value, depth);
    this.bytes += own;
    if (this.bytes > this.maxBytes) {
      throw new MoonwireError('too_large', `values have at most ${this.maxBytes} bytes`);
    }
    return this.bytes;
  }

  /** The bytes of an item beyond its first, without those of what it holds. */
  private item(value: unknown, depth: number): number {
    switch (typeof value) {
      case 'number':
        if (Number.isFinite(value)) return Number.isInteger(value) && Math.abs(value) <= 2 ** 31 ? 4 : 8;
        throw this.refused(`is ${value}: only finite numbers can be reported`);
      case 'string':
        if (HALF.test(value)) throw this.refused('has half a character in it');
        return 2 + Buffer.byteLength(value);
      case 'boolean':
      case 'undefined':
        return 0;
      case 'object':
        break;
      default:
        throw this.refused(`is a ${typeof value}: only plain data can be reported`);
    }
    if (value === null) return 0;
    if (value instanceof Uint8Array) return 4 + value.length;
    if (depth >= MAX_DEPTH) throw this.refused(`is nested deeper than ${MAX_DEPTH}`);
    if (Array.isArray(value)) {
      for (let i = 0; i < value.length; i++) this.member(i, value[i], depth);
    } else {
      for (const [key, member] of Object.entries(value)) {
        this.bytes += 2 + Buffer.byteLength(key);
        this.member(key, member, depth);
      }
    }
    return 4;
  }

  private member(key: string | number, value: unknown, depth: number): void {
    this.path.push(key);
    this.value(value, depth + 1);
    this.path.pop();
  }

  private refused(problem: string): MoonwireError {
    const place = this.path
      .slice(0, 8)
      .map((key) => (typeof key === 'number' ? `[${key + 1}]` : `.${key.slice(0, 64)}`));
    return new MoonwireError('invalid_argument', `values${place.join('')} ${problem}`);
  }
}
