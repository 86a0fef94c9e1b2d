/** Slaves on a simulated line: one serial port or socket behind which any number of Modbus RTU units misbehave. */

import type { Connection } from '../../src/transports/connection.js';

/** CRC-16/MODBUS, bit by bit. */
function crc(bytes: Uint8Array): number {
  let value = 0xffff;
  for (const byte of bytes) {
    value ^= byte;
    for (let i = 0; i < 8; i++) value = value & 1 ? (value >> 1) ^ 0xa001 : value >> 1;
  }
  return value;
}

/** A frame: the bytes and their CRC. */
export function rtu(...bytes: number[]): Buffer {
  const sum = crc(Uint8Array.from(bytes));
  return Buffer.from([...bytes, sum & 0xff, sum >> 8]);
}

/** The good reply to a request for registers; each register holds its address. */
export function registers(request: Uint8Array): Buffer {
  const [unit, code, , , high, low] = request as unknown as number[];
  const from = request[2]! * 256 + request[3]!;
  const quantity = high! * 256 + low!;
  const values = Array.from({ length: quantity }, (_, i) => from + i);
  return rtu(unit!, code!, 2 * quantity, ...values.flatMap((value) => [value >> 8, value & 0xff]));
}

/** What a unit does with a request: calls `answer` as often and as late as it likes. */
export type Behaviour = (request: Uint8Array, answer: (bytes: Uint8Array) => void) => void;

/** Serves requests of eight bytes that come over a connection; `asked` collects them. */
export function serveLine(connection: Connection, behave: Behaviour, asked: Buffer[] = []): Buffer[] {
  let held = Buffer.alloc(0);
  connection.attach({
    data: (bytes) => {
      held = Buffer.concat([held, bytes]);
      for (; held.length >= 8; held = held.subarray(8)) {
        const request = Buffer.from(held.subarray(0, 8));
        asked.push(request);
        behave(request, (reply) => connection.write(reply));
      }
    },
    close() {},
  });
  return asked;
}

/** Begin of a script that reports what units answer, and what comes unasked. */
export const ASK = `
protocol = require "protocols.modbus_rtu"
function ask(conn, unit, options, address, code)
  local reply, err = conn:request({ unit = unit, function_code = code or 3, address = address or 0, quantity = 1,
    value = 7 }, options)
  mix.report("unit " .. unit, { at = address or 0, values = reply and reply.values, exception = reply and reply.exception,
    type = reply and reply.type, err = err })
  return reply, err
end
function on_message(m) mix.report("message", m) end
`;
