/**
 * The core of the tests, for Nodes other than the one that `npm test` runs on: every layer, and what a processor or a
 * version of Node could do differently: byte order, checksums, numbers, sockets, serial lines, files, processes. What
 * is long, measures work against a budget or needs the servers of others is left to `npm test`.
 */
const CORE_BY_FOLDER = {
  bytes: 'chunks crc delimiter_rest framers framing_vectors meter_framers modbus_rtu text_framing wrap',
  codecs: 'cbor coap json mqtt msgpack protobuf struct',
  script: 'convert numbers numbers-in-lua waiting stdlib/pattern stdlib/string compile/hostile compile/lua53',
  lua: 'gt06 modbus',
  engine: 'handlers compiled links report changes reload/reload',
  transports: 'tcp udp serial keepopen websocket',
  mux: 'decoder frame session.contract typed writer',
  store: 'journal keyvalue outbox damage ranges reading',
  uplink: 'uplink',
  center: 'join',
  cli: 'engine answers',
  handover: 'restart',
};

const files = (folder) => CORE_BY_FOLDER[folder].split(' ').map((name) => `test/${folder}/${name}.test.ts`);

export const CORE = Object.keys(CORE_BY_FOLDER).flatMap(files);

/** What of it runs on arm64, some ten times slower under qemu: all but what starts many processes. */
export const CORE_ARM64 = CORE.filter(
  (file) => !['test/cli/engine.test.ts', 'test/handover/restart.test.ts'].includes(file),
);
