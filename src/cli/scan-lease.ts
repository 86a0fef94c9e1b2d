/** Borrows the line of a link from the engine that runs it, so that a scan meets no polls and they go on afterwards. */

import { randomUUID } from 'node:crypto';
import { MoonwireError } from '../errors.js';
import { type ApiClient, ApiRefusal } from './api-client.js';

/** How long the line stays lent if this process dies, and how often that is renewed while it lives. */
const LEASE_SECONDS = 20;
const RENEW_MS = 5000;

/** A line that is ours. */
export interface BorrowedLine {
  /** Gives it back; the engine does so by itself if it cannot be told. */
  giveBack(): Promise<void>;
}

/**
 * Borrows the line of a link. Resolves, once it is free, to undefined where no engine answers, or none that has the
 * link. Throws MoonwireError `conflict` when the engine does not lend it.
 */
export async function borrowLine(api: ApiClient, link: string): Promise<BorrowedLine | undefined> {
  const path = `/v1/links/${encodeURIComponent(link)}/leases/${randomUUID()}`;
  const take = () => api.create(path, { seconds: LEASE_SECONDS });
  try {
    await take();
  } catch (error) {
    if (error instanceof MoonwireError && error.code === 'not_connected') return undefined;
    // Without a code it is no API of ours that answers.
    if (!(error instanceof ApiRefusal)) throw error;
    if (error.code === undefined || error.code === 'not_found') return undefined;
    throw new MoonwireError('conflict', `the engine does not lend the line of ${link}: ${error.message}`);
  }
  // One that is missed does not matter, and an engine that ended does not speak on the line.
  const timer = setInterval(() => void take().catch(() => {}), RENEW_MS);
  return {
    async giveBack() {
      clearInterval(timer);
      await api.delete(path).catch(() => {});
    },
  };
}
