/** MQTT control packets (OASIS MQTT 3.1.1 and 5.0, and MQTT 3.1), by mqtt-packet. */
import { Options } from '../bytes/options.js';
import { MoonwireError } from '../errors.js';
import type { Codec } from './codec.js';
import { MqttPackets, type MqttVersion } from './mqtt_packets.js';
import { plain } from './plain.js';

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
  let packets: MqttPackets | undefined;
  const load = () => {
    packets ??= new MqttPackets();
    return packets;
  };
  return {
    name: 'mqtt',

    encode(value, options) {
      const { version, max } = readOptions(options);
      const packet = plain(value, asBuffer, String) as AnyPacket | null;
      if (typeof packet !== 'object' || packet === null) throw refused('a packet is a table with cmd');
      const bytes = load().generate(packet, version);
      if (bytes.length > max) throw refused(`a packet of ${bytes.length} bytes, max is ${max}`);
      return bytes;
    },

    decode(bytes, options) {
      const { version, max } = readOptions(options);
      const size = packetSize(bytes);
      if (size > max) throw bad(`a packet of ${size} bytes, max is ${max}`);
      if (size !== bytes.length) throw bad(`a packet of ${size} bytes in ${bytes.length}`);
      const packet = load().parse(bytes, version);
      // What a packet has not, mqtt-packet sets to null.
      const given = Object.entries(packet).filter(([, item]) => item !== null && item !== undefined);
      return plain(Object.fromEntries(given), (part) => part, String);
    },
  };
}

function readOptions(options: unknown): { version: MqttVersion; max: number } {
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
