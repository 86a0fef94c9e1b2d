// Devices that talk at a steady rate, in a process of their own: `crowd.mjs PORT CLIENTS RATE`, started by load.mjs.
// Requests leave when they are due, whether or not earlier ones were answered, so that a server that pauses is seen to.
import { open } from '../support/clients.mjs';

const [port, clients, rate] = process.argv.slice(2).map(Number);
const TICK_MS = 2;
/** A request that is not answered after so long is lost. */
const LOST_MS = 30_000;
const HEAD_BYTES = 6;
const FRAME_BYTES = 21;

/** The clock of all processes of the machine, in milliseconds. */
const now = () => Number(process.hrtime.bigint()) / 1e6;
const faults = { repeated: 0, reordered: 0, closed: 0 };
let answers = [];

class Device {
  sent = 0;
  last = 0;
  /** When each request left that is not answered yet. */
  unanswered = new Map();
  rest = Buffer.alloc(0);

  constructor(socket) {
    this.socket = socket;
    socket.on('data', (bytes) => this.take(bytes));
    socket.on('error', () => {}).on('close', () => faults.closed++);
  }

  ask() {
    const frame = Buffer.alloc(FRAME_BYTES, 7);
    frame.writeUInt16BE(FRAME_BYTES - 2, 0);
    frame.writeUInt32BE(++this.sent, 2);
    this.unanswered.set(this.sent, now());
    this.socket.write(frame);
  }

  take(bytes) {
    const all = this.rest.length === 0 ? bytes : Buffer.concat([this.rest, bytes]);
    let at = 0;
    for (; all.length - at >= FRAME_BYTES; at += FRAME_BYTES)
      this.answered(all.readUInt32BE(at + HEAD_BYTES - 4));
    this.rest = all.subarray(at);
  }

  answered(number) {
    const left = this.unanswered.get(number);
    if (left === undefined) faults.repeated++;
    else answers.push({ left, wait: now() - left });
    this.unanswered.delete(number);
    if (number !== this.last + 1) faults.reordered++;
    this.last = number;
  }

  /** Whether a request that left before `time` is not answered. */
  waitsSince(time) {
    for (const left of this.unanswered.values()) if (left <= time) return true;
    return false;
  }
}

const devices = (await open(port, clients)).map((socket) => new Device(socket));
const began = now();
let asked = 0;
setInterval(() => {
  const due = Math.floor(((now() - began) * rate) / 1000);
  while (asked < due) devices[asked++ % clients].ask();
}, TICK_MS);

/** Tells of all requests that left before this, once they are answered. */
process.on('message', async () => {
  const time = now();
  while (now() < time + LOST_MS && devices.some((device) => device.waitsSince(time)))
    await new Promise((resolve) => setTimeout(resolve, TICK_MS));
  let lost = 0;
  for (const { unanswered } of devices)
    for (const [number, left] of unanswered) if (left <= time && unanswered.delete(number)) lost++;
  const told = answers.filter(({ left }) => left <= time);
  answers = answers.filter(({ left }) => left > time);
  process.send({
    left: Float64Array.from(told, ({ left }) => left),
    waits: Float64Array.from(told, ({ wait }) => wait),
    faults: { lost, ...faults },
  });
});
process.on('disconnect', () => process.exit());
process.send('ready');
