/** A process for tests to kill: `hold` opens a store, `write` acknowledges what it has made durable. */

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { silentLogger } from '../../src/log.js';
import { openStore } from '../../src/store/store.js';
import { openJournal } from './support.js';

const [role, path] = process.argv.slice(2) as [string, string];
const store = await openStore({ path, log: silentLogger, delayMs: 0 });
process.send!('open');
// The parent's end must not leave this process behind.
process.once('disconnect', () => process.exit());

if (role === 'write') {
  const folder = join(path, 'journal');
  mkdirSync(folder, { recursive: true });
  const { journal, records } = await openJournal(folder, { segmentBytes: 2000 });
  for (let next = records.length; ; next++) {
    journal.append(Buffer.from(String(next)));
    await Promise.all([journal.commit(), store.kv.set('last', Buffer.from(String(next)))]);
    process.send!({ record: next, sequence: store.ids.nextSequence() });
  }
}
