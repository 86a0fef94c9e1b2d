// What devices send, by protocol module, from test/vectors.
import { readFileSync } from 'node:fs';

const FOLDER = new URL('../../test/vectors/', import.meta.url);

const cases = (name) => JSON.parse(readFileSync(new URL(`${name}.json`, FOLDER), 'utf8')).cases;
const unhex = (digits) => Buffer.from(digits, 'hex');

/** The bytes of a case as they travel; undefined when it has none. */
function wire({ wire_hex, hex, stream_hex, ascii }) {
  const digits = wire_hex ?? hex ?? stream_hex;
  if (digits !== undefined) return unhex(digits);
  return ascii === undefined ? undefined : Buffer.from(ascii, 'latin1');
}

const modbus = (transport) => () =>
  cases('modbus')
    .filter((vector) => vector.transport === transport)
    .map(wire);
const framing = (type, digits) => () =>
  cases('framing')
    .filter((vector) => vector.type === type)
    .map((vector) => unhex(digits(vector)));

/** Modules whose vectors are kept in a way of their own; the others have a file of their name. */
const SOURCES = {
  modbus_rtu: modbus('rtu'),
  modbus_tcp: modbus('tcp'),
  modbus_ascii: modbus('ascii'),
  nmea0183: () => cases('nmea0183').map(({ ascii }) => Buffer.from(`${ascii}\r\n`, 'latin1')),
  slip: framing('slip', ({ expect }) => `${expect.stated.body_hex_without_end}c0`),
  cobs: framing('cobs', ({ expect }) => `${expect.stated.encoded_hex}00`),
  hdlc: framing('ahdlc', ({ expect }) => expect.reference.frame_hex),
};

/** All inputs there are for a module, good and bad ones; none when it has no vectors. */
export function inputs(module) {
  try {
    return (SOURCES[module] ?? (() => cases(module).map(wire)))().filter((bytes) => bytes?.length > 0);
  } catch (error) {
    if (error.code === 'ENOENT') return [];
    throw error;
  }
}
