import t from 'tap';
import { type MuxStream, Session, type SessionOptions } from '../../src/mux/index.js';
import { random } from '../support/random.js';
import { splittingPair } from './transports.js';
import { settle } from './wire.js';

// Two sessions, random operations on both, over memory that cuts the bytes anywhere. The model is simple: what one
// end wrote is what the other reads, all of it when both ended in order, a beginning of it when one reset.

/** One end of a stream. */
interface End {
  stream: MuxStream;
  sent: number;
  ended: boolean;
  reset: boolean;
  received: number;
  sawEnd: boolean;
  /** Position of the first wrong byte, or -1. */
  wrongAt: number;
}

/** The byte at a position of what the end `side` writes on stream `id`. */
const byteAt = (id: number, side: number, position: number) => (id * 31 + side * 17 + position * 7) & 0xff;

function watch(stream: MuxStream, side: number): End {
  const end: End = { stream, sent: 0, ended: false, reset: false, received: 0, sawEnd: false, wrongAt: -1 };
  stream.on('data', (chunk: Buffer) => {
    for (const byte of chunk) {
      if (byte !== byteAt(stream.id, 1 - side, end.received) && end.wrongAt < 0) end.wrongAt = end.received;
      end.received++;
    }
  });
  stream.on('end', () => {
    end.sawEnd = true;
  });
  stream.on('error', () => {});
  return end;
}

function payload({ stream, sent }: End, side: number, length: number): Buffer {
  return Buffer.from(Array.from({ length }, (_, i) => byteAt(stream.id, side, sent + i)));
}

t.test('random operations on two sessions agree with the model', async (t) => {
  const rng = random(t);
  const { below } = rng;
  const until = performance.now() + 3000;
  let runs = 0;
  let streams = 0;
  let resets = 0;
  for (; runs < 40 && (runs < 5 || performance.now() < until); runs++) {
    const options: Partial<SessionOptions> = {
      // Small ones are used up; with large ones more waits than a Readable takes ahead.
      windowBytes: 1024 + below(below(2) === 0 ? 4000 : 100_000),
      sendBufferBytes: 1 + below(3000),
      gatherBytes: 1024 + below(3000),
    };
    const [near, far] = splittingPair(below);
    const sessions = [
      new Session(near, { role: 'client', ...options }),
      new Session(far, { role: 'server', ...options }),
    ] as const;
    const ends = [new Map<number, End>(), new Map<number, End>()] as const;
    for (const side of [0, 1] as const) {
      sessions[side].on('stream', (stream) => ends[side].set(stream.id, watch(stream, side)));
    }
    for (let step = 0; step < 120; step++) {
      const side = below(2) as 0 | 1;
      const known = [...ends[side].values()];
      const end = known.length > 0 ? rng.pick(known) : undefined;
      const what = below(20);
      if (what < 4 || !end) {
        const stream = sessions[side].open();
        ends[side].set(stream.id, watch(stream, side));
      } else if (what < 12 && !end.ended && !end.reset && !end.stream.destroyed) {
        const bytes = payload(end, side, below(3) === 0 ? below(20_000) : below(60));
        end.stream.write(bytes);
        end.sent += bytes.length;
      } else if (what < 14 && !end.ended && !end.stream.destroyed) {
        end.stream.end();
        end.ended = true;
      } else if (what < 15 && !end.stream.destroyed) {
        end.stream.reset(below(20));
        end.reset = true;
      } else if (what < 17) end.stream.pause();
      else if (what < 18) end.stream.resume();
      else await settle(1 + below(3));
    }
    for (const side of [0, 1] as const) {
      for (const end of ends[side].values()) {
        end.stream.resume();
        if (!end.ended && !end.stream.destroyed) end.stream.end();
      }
    }
    // Streams of which the other end has not heard yet appear and are ended too.
    for (let turn = 0; turn < 5000 && sessions[0].streamCount + sessions[1].streamCount > 0; turn++) {
      await settle(1);
      for (const side of [0, 1] as const) {
        for (const { stream } of ends[side].values())
          if (!stream.writableEnded && !stream.destroyed) stream.end();
      }
    }
    await settle(5);
    const faults: string[] = [];
    for (const side of [0, 1] as const) {
      if (sessions[side].endedBy) faults.push(`session ${side} ended: ${sessions[side].endedBy}`);
      if (sessions[side].streamCount > 0)
        faults.push(`session ${side} keeps ${sessions[side].streamCount} streams`);
      if (Reflect.get(sessions[side], 'unreadBytes') !== 0)
        faults.push(`session ${side} counts unread bytes`);
      for (const [id, end] of ends[side]) {
        const other = ends[(1 - side) as 0 | 1].get(id);
        const name = `stream ${id} at ${side}`;
        if (end.wrongAt >= 0) faults.push(`${name}: wrong byte at ${end.wrongAt}`);
        if (!end.stream.destroyed) faults.push(`${name}: still open`);
        if (end.reset || other?.reset) {
          resets++;
          if (other && end.received > other.sent) faults.push(`${name}: more came than was sent`);
        } else if (!other) {
          faults.push(`${name}: the other end never heard of it`);
        } else if (end.received !== other.sent || !end.sawEnd) {
          faults.push(`${name}: ${end.received} of ${other.sent} bytes, end ${end.sawEnd}`);
        }
        streams++;
      }
    }
    await Promise.all(sessions.map((session) => session.close()));
    if (faults.length > 0) {
      t.same(faults, [], `run ${runs}`);
      return;
    }
  }
  t.comment(`${runs} runs, ${streams} stream ends, ${resets} of them reset`);
  t.ok(resets > 0 && streams > resets, 'both kinds of ending were tried');
});
