// What devices send in each work, and what must come back byte for byte: recorded frames of test/vectors, but in the echo.
import { readFileSync } from 'node:fs';
import { close, frame, open } from '../support/clients.mjs';
import { pause } from '../support/statistics.mjs';

const ECHO_BYTES = 21;
/** How many bytes of a frame come in the packet after the one it began in. */
const TAIL_BYTES = 4;
const PATIENCE_MS = 10_000;
const LOOK_MS = 5;

const cases = (name) =>
  JSON.parse(readFileSync(new URL(`../../test/vectors/${name}.json`, import.meta.url), 'utf8')).cases;
const unhex = (digits) => Buffer.from(digits, 'hex');

/** Every register holds its own address (MODBUS Application Protocol 1.1b3, 6.3). */
function registers(request) {
  const [address, quantity] = [request.readUInt16BE(8), request.readUInt16BE(10)];
  const answer = Buffer.alloc(9 + 2 * quantity);
  request.copy(answer, 0, 0, 2);
  answer.writeUInt16BE(3 + 2 * quantity, 4);
  answer.set([request[6], 3, 2 * quantity], 6);
  for (let i = 0; i < quantity; i++) answer.writeUInt16BE(address + i, 9 + 2 * i);
  return answer;
}

const reads = cases('modbus').filter(({ transport, type }) => transport === 'tcp' && type === 'fc03 request');
const positions = cases('gt06').filter(({ type, checksum }) => type === '7878/22' && checksum.ok);

/** Of each work: pairs of a request and its answer. */
export const EXCHANGES = {
  echo: [[frame(ECHO_BYTES), frame(ECHO_BYTES)]],
  modbus: reads.map(({ hex }) => [unhex(hex), registers(unhex(hex))]),
  gt06: positions.map(({ hex, expect }) => [unhex(hex), unhex(expect.reference.replies[0])]),
};

/**
 * Throws unless a server answers right, byte for byte: to requests one by one, all in one packet, and cut in each, so
 * that packets do not end where frames do.
 */
export async function checkAnswers(work, name, port) {
  const exchanges = EXCHANGES[work];
  const requests = exchanges.map(([request]) => request);
  const together = Buffer.concat(requests);
  const ways = { 'one by one': requests, 'in one packet': [together], 'in pieces': [] };
  let [from, end] = [0, 0];
  for (const { length } of requests) {
    end += length;
    ways['in pieces'].push(together.subarray(from, end - TAIL_BYTES));
    from = end - TAIL_BYTES;
  }
  ways['in pieces'].push(together.subarray(from));
  const expected = Buffer.concat(exchanges.map(([, answer]) => answer)).toString('hex');
  for (const [way, packets] of Object.entries(ways)) {
    const answered = await answersTo(port, packets, expected.length);
    if (answered !== expected) {
      throw new Error(`${name}, ${work}, sent ${way}: ${answered || 'nothing'} in answer, not ${expected}`);
    }
  }
}

/** Hexadecimal digits of what comes back until there are `digits` or it takes too long. */
async function answersTo(port, packets, digits) {
  const [socket] = await open(port, 1);
  let received = '';
  socket.on('data', (bytes) => {
    received += bytes.toString('hex');
  });
  for (const packet of packets) {
    socket.write(packet);
    await pause(2 * LOOK_MS);
  }
  const deadline = performance.now() + PATIENCE_MS;
  while (received.length < digits && performance.now() < deadline) await pause(LOOK_MS);
  // What comes beyond what was expected comes soon.
  await pause(LOOK_MS);
  await close([socket]);
  return received;
}
