/** What tests of the uplink share. */

import { duplexPair } from 'node:stream';
import type { Test } from 'tap';
import { type MuxStream, Session, TypedSession } from '../../src/mux/index.js';

/** Two ends of one session, closed with the test. */
export function sessionPair(t: Test): [near: TypedSession, far: TypedSession] {
  const [a, b] = duplexPair();
  const near = new TypedSession(new Session(a, { role: 'client' }));
  const far = new TypedSession(new Session(b, { role: 'server' }));
  t.teardown(async () => {
    await Promise.all([near.session.close(), far.session.close()]);
  });
  return [near, far];
}

/** Both ends of one stream of type 3; both are read and written as plain duplexes. */
export async function streamPair(t: Test): Promise<[near: MuxStream, far: MuxStream]> {
  const [near, far] = sessionPair(t);
  const accepted = new Promise<MuxStream>((resolve) => far.handle(3, resolve));
  const opened = near.open(3);
  return [opened, await accepted];
}

/** Waits until `condition` holds; fails after `ms`. */
export async function until(condition: () => boolean, what: string, ms = 10_000): Promise<void> {
  const deadline = Date.now() + ms;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`not within ${ms} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
