import t from 'tap';
import { framer } from '../../src/bytes/framers.js';
import { feed } from '../support/framing.js';

const bytes = (text: string) => Buffer.from(text);
const text = (hex: string) => Buffer.from(hex, 'hex').toString();
const frames = (options: object, chunks: (string | null)[]) => {
  const outcome = feed(
    framer('delimiter', { ends: '$', ...options }, { max: 12 }),
    chunks.map((chunk) => (chunk === null ? null : bytes(chunk))),
  );
  return {
    frames: outcome.frames.map(text),
    lost: outcome.discards.map(({ reason, hex }) => `${reason} ${text(hex)}`),
    pending: outcome.pending,
  };
};

t.test('what waited for its terminator is a frame with `rest`, and none without', async (t) => {
  t.match(frames({ rest: true }, ['ab$c', 'd', null, 'e$']), {
    frames: ['ab', 'cd', 'e'],
    lost: [],
    pending: 0,
  });
  t.match(frames({ rest: true, keep: true }, ['ab$cd', null]).frames, ['ab$', 'cd']);
  t.match(frames({}, ['ab$cd', null]), { frames: ['ab'], lost: ['timeout cd'] });
});

t.test('only silence makes it one', async (t) => {
  t.match(frames({ rest: true }, ['ab$cd']), { frames: ['ab'], pending: 2 });
  t.match(frames({ rest: true }, [null, 'cd']), { frames: [], pending: 2 });
});

t.test('it begins with a start, where there is one', async (t) => {
  t.match(frames({ rest: true, start: '+' }, ['x+a', null, 'y', null]), {
    frames: ['+a'],
    lost: ['noise x', 'noise y'],
  });
  t.match(frames({ rest: true, start: '+R' }, ['+', null]), { frames: [], lost: ['timeout +'] });
});

t.test('it is held to `max`', async (t) => {
  const long = 'x'.repeat(13);
  t.match(frames({ rest: true }, [long, null, '$ok$']).frames, ['ok']);
  t.match(frames({ rest: true, start: '+' }, [`+${long}`, null, '+ok', null]).frames, ['+ok']);
});
