/** MQTT control packets (OASIS MQTT 3.1.1 and 5.0, and MQTT 3.1), by mqtt-packet. */
import { createRequire } from 'node:module';
import { Options } from '../bytes/options.js';
import { MoonwireError, messageOf } from '../errors.js';
import type { Codec } from './codec.js';
import { plain } from './plain.js';

type MqttPacket = typeof import('mqtt-packet');
type AnyPacket = import('mqtt-packet').Packet;

/** Largest packet when options say nothing: mqtt-packet knows no limit below the protocol's 256 MiB. */
const DEFAULT_MAX = 1024 * 1024;
/** What a remaining length of four bytes can tell (2.2.3), with its header. */
const MAX_PACKET = 268_435_455 + 5;

/**
 * One control packet as a plain object with the field names of mqtt-packet: `cmd`, `messageId`, `topic`, `payload` …,
 * `properties` in version 5. Options: `version` (3, 4 = 3.1.1, 5; default 4; CONNECT says its own), `max` (largest
 * packet in bytes, default 1 MiB). mqtt-packet is loaded at the first call.
 */
export function mqttCodec(): Codec {
  let library: MqttPacket | undefined;
  const load = () => {
    library ??= createRequire(import.meta.url)('mqtt-packet') as MqttPacket;
    return library;
  };
  return {
    name: 'mqtt',

    encode(value, options) {
      const { version, max } = readOptions(options);
      const packet = plain(value, asBuffer, String) as AnyPacket | null;
      if (typeof packet !== 'object' || packet === null) throw refused('a packet is a table with cmd');
      let bytes: Buffer;
      try {
        bytes = load().generate(packet, { protocolVersion: version });
      } catch (error) {
        throw new MoonwireError('invalid_argument', `MQTT: ${messageOf(error)}`, undefined, { cause: error });
      }
      if (bytes.length > max) throw refused(`a packet of ${bytes.length} bytes, max is ${max}`);
      return bytes;
    },

    decode(bytes, options) {
      const { version, max } = readOptions(options);
      const size = packetSize(bytes);
      if (size > max) throw bad(`a packet of ${size} bytes, max is ${max}`);
      if (size !== bytes.length) throw bad(`a packet of ${size} bytes in ${bytes.length}`);
      const packets: AnyPacket[] = [];
      let problem: unknown;
      try {
        const parser = keepEmpty(load().parser({ protocolVersion: version }));
        parser.on('error', (error: unknown) => {
          problem = error;
        });
        parser.on('packet', (packet: AnyPacket) => packets.push(packet));
        parser.parse(asBuffer(bytes));
      } catch (error) {
        problem = error;
      }
      const packet = packets[0];
      if (problem !== undefined || !packet) throw bad(messageOf(problem ?? 'no packet'), problem);
      settleEmpty(packet);
      // What a packet has not, mqtt-packet sets to null.
      const given = Object.entries(packet).filter(([, item]) => item !== null && item !== undefined);
      return plain(Object.fromEntries(given), (part) => part, String);
    },
  };
}

/** The part of mqtt-packet's parser that reads a user property; null stands for one that is cut short. */
interface PairReader {
  _parseStringPair?: () => { name: string | null; value: string | object | null };
}
type Properties = { userProperties?: Record<string, unknown> } | undefined;

/**
 * Several values of one user property become a list, but mqtt-packet 9.0.2 forgets those before it that are empty,
 * since it asks whether they are true. As an object, an empty text is; `settleEmpty` makes it a text again.
 */
function keepEmpty<Parser>(parser: Parser & PairReader): Parser {
  const read = parser._parseStringPair?.bind(parser);
  if (read) {
    parser._parseStringPair = () => {
      const pair = read();
      return pair.value === '' ? { ...pair, value: Object('') } : pair;
    };
  }
  return parser;
}

function settleEmpty(packet: AnyPacket): void {
  const { properties, will } = packet as { properties?: Properties; will?: { properties?: Properties } };
  const settle = (value: unknown) => (value instanceof String ? '' : value);
  for (const { userProperties } of [properties ?? {}, will?.properties ?? {}]) {
    for (const [name, value] of Object.entries(userProperties ?? {})) {
      userProperties![name] = Array.isArray(value) ? value.map(settle) : settle(value);
    }
  }
}

function readOptions(options: unknown): { version: number; max: number } {
  const given = new Options('mqtt', options);
  const version = given.oneOf('version', [3, 4, 5], 4);
  const max = given.integer('max', 2, MAX_PACKET, DEFAULT_MAX);
  given.done();
  return { version, max };
}

/** The size of the packet that begins here, by its remaining length (2.2.3): at most four bytes, low bits first. */
function packetSize(bytes: Uint8Array): number {
  let length = 0;
  for (let i = 1; i <= 4; i++) {
    const byte = bytes[i];
    if (byte === undefined) throw bad('ends too early');
    length += (byte & 0x7f) * 2 ** (7 * (i - 1));
    if (byte < 0x80) return length + i + 1;
  }
  throw bad('a remaining length of more than four bytes');
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

function bad(problem: string, cause?: unknown): MoonwireError {
  return new MoonwireError('decode_error', `MQTT: ${problem}`, undefined, { cause });
}

function refused(problem: string): MoonwireError {
  return new MoonwireError('invalid_argument', `MQTT: ${problem}`);
}
