/** Control packets of MQTT 3.1, 3.1.1 and 5.0 to and from bytes, by mqtt-packet, with what it leaves open. */

import { createRequire } from 'node:module';
import type { Packet, Parser } from 'mqtt-packet';
import { MoonwireError, messageOf } from '../errors.js';

type MqttPacket = typeof import('mqtt-packet');

/** Protocol versions: 3 is MQTT 3.1, 4 is 3.1.1. */
export type MqttVersion = 3 | 4 | 5;

/** Reads and writes packets. mqtt-packet is loaded with the first of these. */
export class MqttPackets {
  private readonly library = createRequire(import.meta.url)('mqtt-packet') as MqttPacket;
  /** A parser holds nothing between whole packets, so one for each version serves all. */
  private readonly parsers = new Map<MqttVersion, Parser>();
  private parsed: Packet | undefined;
  private problem: unknown;

  /**
   * One whole packet. A CONNECT says its own version. Payloads are parts of `bytes`. Throws MoonwireError
   * `decode_error` with the reason.
   */
  parse(bytes: Uint8Array, version: MqttVersion): Packet {
    this.parsed = undefined;
    this.problem = undefined;
    try {
      this.parser(version).parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
    } catch (error) {
      this.problem = error;
    }
    const packet = this.parsed as Packet | undefined;
    const failed = this.problem !== undefined || packet === undefined;
    // A CONNECT changes its parser's version, and an error leaves it somewhere.
    if (failed || packet.cmd === 'connect') this.parsers.delete(version);
    if (failed) {
      throw new MoonwireError('decode_error', `MQTT: ${messageOf(this.problem ?? 'no packet')}`, undefined, {
        cause: this.problem,
      });
    }
    const length = onlyLength(packet, version);
    if (length !== undefined && packet.length !== length)
      throw new MoonwireError('decode_error', `MQTT: ${packet.cmd} of ${packet.length} bytes, not ${length}`);
    settleEmpty(packet);
    return packet;
  }

  /** The bytes of a packet. Throws MoonwireError `invalid_argument`. */
  generate(packet: Packet, version: MqttVersion): Buffer {
    try {
      return this.library.generate(packet, { protocolVersion: version });
    } catch (error) {
      throw new MoonwireError('invalid_argument', `MQTT: ${messageOf(error)}`, undefined, { cause: error });
    }
  }

  private parser(version: MqttVersion): Parser {
    let parser = this.parsers.get(version);
    if (!parser) {
      parser = keepEmpty(this.library.parser({ protocolVersion: version }));
      parser.on('error', (error: unknown) => {
        this.problem ??= error ?? 'malformed';
      });
      parser.on('packet', (packet) => {
        this.parsed ??= packet;
      });
      this.parsers.set(version, parser);
    }
    return parser;
  }
}

/** How many bytes follow the fixed header of packets that have one length only, which mqtt-packet does not ask. */
function onlyLength({ cmd }: Packet, version: MqttVersion): number | undefined {
  if (cmd === 'pingreq' || cmd === 'pingresp') return 0;
  if (version === 5) return undefined;
  if (cmd === 'disconnect') return 0;
  return cmd === 'puback' || cmd === 'pubrec' || cmd === 'pubrel' || cmd === 'pubcomp' ? 2 : undefined;
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
function keepEmpty<P>(parser: P & PairReader): P {
  const read = parser._parseStringPair?.bind(parser);
  if (read) {
    parser._parseStringPair = () => {
      const pair = read();
      return pair.value === '' ? { ...pair, value: Object('') } : pair;
    };
  }
  return parser;
}

function settleEmpty(packet: Packet): void {
  const { properties, will } = packet as { properties?: Properties; will?: { properties?: Properties } };
  const settle = (value: unknown) => (value instanceof String ? '' : value);
  for (const part of [properties, will?.properties]) {
    for (const [name, value] of Object.entries(part?.userProperties ?? {})) {
      part!.userProperties![name] = Array.isArray(value) ? value.map(settle) : settle(value);
    }
  }
}
