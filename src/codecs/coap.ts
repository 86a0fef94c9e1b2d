/**
 * CoAP messages: RFC 7252 (UDP), RFC 8323 (TCP), tokens of any length as in RFC 8974.
 *
 * Written here: what coap-packet leaves unchecked (options and tokens cut short, a payload marker without payload,
 * numbers beyond 65535) takes a reading of the whole message, and it knows no TCP form.
 */
import { Options } from '../bytes/options.js';
import { MoonwireError } from '../errors.js';
import { CODES, OPTION_NAMES, OPTION_NUMBERS, TYPES } from './coap_numbers.js';
import type { Codec } from './codec.js';

const PAYLOAD_MARKER = 0xff;
/** Options of one message: more are a mistake or an attack. */
const MAX_OPTIONS = 256;
const MAX_NUMBER = 0xffff;
const MAX_TOKEN = 65_804;

/** A message as scripts see it. */
interface Message {
  /** "CON", "NON", "ACK", "RST"; not over TCP. */
  type?: string;
  /** Class and detail: "0.01" is GET, "2.05" Content. */
  code: string;
  message_id?: number;
  token: Uint8Array;
  /** In the order of their numbers; `value` as on the wire (unsigned integers have no leading zeros). */
  options: { number: number; name?: string; value: Uint8Array }[];
  payload: Uint8Array;
}

/**
 * `{type, code, message_id, token, options = {{number, name, value}, …}, payload}`. Option: `transport` ("udp" or
 * "tcp"). When writing, `code` may be a method ("GET"), an option has `number` or `name`, its value may be a number;
 * `type` is "CON" by default and `message_id` must be given.
 */
export const coap: Codec = {
  name: 'coap',
  encode: (value, options) => (overTcp(options) ? encodeTcp(value) : encodeUdp(value)),
  decode: (bytes, options) => new Reader(bytes).message(overTcp(options)),
};

function overTcp(options: unknown): boolean {
  const given = new Options('coap', options);
  const transport = given.oneOf('transport', ['udp', 'tcp'], 'udp');
  given.done();
  return transport === 'tcp';
}

class Reader {
  private at = 0;

  constructor(private readonly bytes: Uint8Array) {}

  message(tcp: boolean): Message {
    const first = this.byte();
    const head = tcp ? this.tcpHead(first) : this.udpHead(first);
    const token = this.take(this.extended(first & 15));
    const options = this.options();
    const payload = this.bytes.subarray(this.at);
    if (head.code === '0.00' && !tcp && this.bytes.length > 4) throw bad('an empty message with content');
    return { ...head, token, options, payload };
  }

  private udpHead(first: number): Pick<Message, 'type' | 'code' | 'message_id'> {
    if (first >> 6 !== 1) throw bad(`version ${first >> 6}`);
    return { type: TYPES[(first >> 4) & 3]!, code: codeText(this.byte()), message_id: this.uint(2) };
  }

  /** RFC 8323, 3.2: the length counts options and payload. */
  private tcpHead(first: number): Pick<Message, 'code'> {
    const nibble = first >> 4;
    const length = nibble === 15 ? this.uint(4) + 65_805 : this.extended(nibble);
    const code = codeText(this.byte());
    const token = this.lookahead(() => this.extended(first & 15) + this.at);
    if (token + length !== this.bytes.length) throw bad('the length does not match the message');
    return { code };
  }

  private options(): Message['options'] {
    const options: Message['options'] = [];
    let number = 0;
    while (this.at < this.bytes.length) {
      const head = this.byte();
      if (head === PAYLOAD_MARKER) {
        if (this.at === this.bytes.length) throw bad('a payload marker without payload');
        break;
      }
      number += this.extended(head >> 4);
      const value = this.take(this.extended(head & 15));
      if (number > MAX_NUMBER) throw bad(`option ${number}`);
      if (options.length === MAX_OPTIONS) throw bad(`more than ${MAX_OPTIONS} options`);
      const name = OPTION_NAMES.get(number);
      options.push({ number, ...(name !== undefined && { name }), value });
    }
    return options;
  }

  /** A number of four bits: 13 and 14 say that it stands in one or two bytes more, 15 is reserved. */
  private extended(nibble: number): number {
    if (nibble < 13) return nibble;
    if (nibble === 15) throw bad('a reserved length');
    return nibble === 13 ? this.byte() + 13 : this.uint(2) + 269;
  }

  private lookahead<T>(read: () => T): T {
    const { at } = this;
    const result = read();
    this.at = at;
    return result;
  }

  private byte(): number {
    return this.uint(1);
  }

  private uint(size: number): number {
    return this.take(size).reduce((value, byte) => value * 256 + byte, 0);
  }

  private take(length: number): Uint8Array {
    if (length > this.bytes.length - this.at) throw bad('ends too early');
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }
}

function encodeUdp(value: unknown): Uint8Array {
  const { given, code, token, body } = parts(value);
  const type = given.oneOf('type', TYPES, 'CON');
  const id = given.integer('message_id', 0, MAX_NUMBER);
  given.done();
  if (code === 0 && token.length + body.length > 0) throw refused('an empty message (0.00) carries nothing');
  const [nibble, extension] = extend(token.length);
  const head = [0x40 | (TYPES.indexOf(type) << 4) | nibble, code, id >> 8, id & 255, ...extension];
  return Buffer.concat([Uint8Array.from(head), token, body]);
}

function encodeTcp(value: unknown): Uint8Array {
  const { given, code, token, body } = parts(value);
  // What a message has over UDP only may stay in it.
  given.raw('type');
  given.raw('message_id');
  given.done();
  const [tokenNibble, tokenExtension] = extend(token.length);
  const long = body.length - 65_805;
  const [nibble, extension] =
    long < 0 ? extend(body.length) : [15, [long >>> 24, (long >> 16) & 255, (long >> 8) & 255, long & 255]];
  const head = [(nibble << 4) | tokenNibble, ...extension, code, ...tokenExtension];
  return Buffer.concat([Uint8Array.from(head), token, body]);
}

/** What both transports have; `body` is options and payload. */
function parts(value: unknown) {
  const given = new Options('coap', value);
  const token = contentOf(given.raw('token') ?? '', 'token');
  if (token.length > MAX_TOKEN) throw refused(`a token of ${token.length} bytes, at most ${MAX_TOKEN}`);
  const payload = contentOf(given.raw('payload') ?? '', 'payload');
  const marked = payload.length > 0 ? [Uint8Array.of(PAYLOAD_MARKER), payload] : [];
  const body = Buffer.concat([...encodeOptions(given.raw('options') ?? []), ...marked]);
  return { given, code: codeOf(given.text('code')), token, body };
}

function encodeOptions(value: unknown): Uint8Array[] {
  if (!Array.isArray(value) || value.length > MAX_OPTIONS)
    throw refused(`options must be a list of at most ${MAX_OPTIONS}`);
  const options = value.map((item, i) => {
    const given = new Options(`coap: options[${i + 1}]`, item);
    const name = given.text('name', '');
    const number = given.integer('number', 0, MAX_NUMBER, OPTION_NUMBERS.get(name));
    const content = contentOf(given.raw('value') ?? '', 'the value of an option');
    given.done();
    if (content.length > MAX_TOKEN) throw refused(`option ${number} has ${content.length} bytes`);
    return { number, content };
  });
  options.sort((a, b) => a.number - b.number);
  let before = 0;
  return options.flatMap(({ number, content }) => {
    const [delta, deltaBytes] = extend(number - before);
    const [length, lengthBytes] = extend(content.length);
    before = number;
    return [Uint8Array.of((delta << 4) | length, ...deltaBytes, ...lengthBytes), content];
  });
}

/** The four bits for a number, and the bytes that extend them. */
function extend(value: number): [nibble: number, bytes: number[]] {
  if (value < 13) return [value, []];
  if (value < 269) return [13, [value - 13]];
  return [14, [(value - 269) >> 8, (value - 269) & 255]];
}

/** Bytes, text as UTF-8, or a whole number in as few bytes as hold it (none for 0; RFC 7252, 3.2). */
function contentOf(value: unknown, what: string): Uint8Array {
  if (value instanceof Uint8Array) return value;
  if (typeof value === 'string') return Buffer.from(value, 'utf8');
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value >= 2 ** 32)
    throw refused(`${what} must be a string or a whole number below 2^32`);
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes.subarray(Math.clz32(value) >> 3);
}

function codeText(code: number): string {
  return `${code >> 5}.${String(code & 31).padStart(2, '0')}`;
}

function codeOf(text: string): number {
  const method = CODES.get(text);
  if (method !== undefined) return method;
  const [, group, detail] = /^([0-7])\.([0-2]\d|3[01])$/.exec(text) ?? [];
  if (group === undefined) throw refused(`code must be like "2.05" or a method, not "${text.slice(0, 20)}"`);
  return (Number(group) << 5) | Number(detail);
}

function bad(problem: string): MoonwireError {
  return new MoonwireError('decode_error', `CoAP: ${problem}`);
}

function refused(problem: string): MoonwireError {
  return new MoonwireError('invalid_argument', `CoAP: ${problem}`);
}
