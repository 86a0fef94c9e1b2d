/** A process for tests to kill: delivers to a file what it appends to a feed, and tells the last report committed. */

import { feedRecord, openFileDelivery, report } from './support.js';

const [path, first] = process.argv.slice(2) as [string, string];
// The parent's end must not leave this process behind.
process.once('disconnect', () => process.exit());
const { feed } = await openFileDelivery(path);
for (let next = Number(first); ; next += 10) {
  const records = Array.from({ length: 10 }, (_, i) => report(next + i));
  feed.append(feedRecord(records), 10);
  await feed.commit();
  process.send!(next + 9);
}
