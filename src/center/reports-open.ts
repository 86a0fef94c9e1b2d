/** Opens what takes reports in: the feed on disk, and the intake before it. */

import { join } from 'node:path';
import type { StoreConfig } from '../config/schema.js';
import type { Logger } from '../log.js';
import { Feed } from '../store/feed.js';
import type { KeyValue } from '../store/keyvalue.js';
import { Intake, type ReportObserver } from './reports.js';

/** What it is made of. */
export interface IntakeParts {
  readonly store: StoreConfig;
  /** Where the readers' places in the feed are kept. */
  readonly values: KeyValue;
  /** Names of those who read the feed. */
  readonly readers: readonly string[];
  readonly log: Logger;
  readonly observe?: ReportObserver;
}

/** Least bytes of a feed: a batch must fit well. */
const LEAST_BYTES = 4 * 2 ** 20;

/** Opens both; rejects when the folder cannot be made or read. The feed is to be closed. */
export async function openIntake(parts: IntakeParts): Promise<{ intake: Intake; feed: Feed }> {
  const { store, values, readers, log, observe } = parts;
  const { maxAge } = store;
  const maxBytes = Math.max(LEAST_BYTES, store.maxBytes / 2);
  // A note of what was received, and what comes until the next but one, take a small part of the feed.
  const noteEvery = Math.min(2 ** 20, maxBytes / 32);
  const limits = { maxAge, total: maxBytes / 32 / 16 };
  let feed!: Feed;
  const intake = await Intake.open(
    async (replay) => {
      feed = await Feed.open(
        { folder: join(store.path, 'feed'), values, readers, maxBytes, maxAge, log },
        replay,
      );
      return feed;
    },
    { log, limits, noteEvery, ...(observe && { observe }) },
  );
  return { intake, feed };
}
