/** Which channels have subscribers at another engine, as it announces them on the control stream of a mesh session. */

import { FilterTree, hasWildcard } from '../codecs/mqtt_topics.js';
import { CHANGES_PER_MESSAGE, type ChanMessage } from './messages.js';

/** Most channels kept of one engine; one with more is taken to have subscribers of every channel. */
export const MAX_CHANNELS = 100_000;
/** Characters in one announcement, so that it stays below 1 MiB whatever they are in UTF-8. */
const PIECE_CHARACTERS = 256 * 1024;

/** What one engine announced in one session. */
export class PeerChannels {
  /** False until the whole list came. */
  complete = false;
  private readonly names = new Set<string>();
  /** Those with wildcards, as topic filters. */
  private readonly filters = new FilterTree<true>();
  private tooMany = false;

  /** Whether the engine may have subscribers of a channel. */
  has(channel: string): boolean {
    return this.tooMany || this.names.has(channel) || this.filters.has(channel);
  }

  /** Takes in an announcement; the first that says `full` completes the list, a later one begins another. */
  apply({ full, add, del }: ChanMessage): void {
    if (full && this.complete) this.clear();
    if (full) this.complete = true;
    if (this.tooMany) return;
    for (const name of del) {
      this.names.delete(name);
      if (hasWildcard(name)) this.filters.delete(name, true);
    }
    for (const name of add) {
      this.names.add(name);
      if (hasWildcard(name)) this.filters.add(name, true);
    }
    if (this.names.size > MAX_CHANNELS) {
      this.tooMany = true;
      this.clear();
    }
  }

  private clear(): void {
    this.names.clear();
    this.filters.clear();
  }
}

/** The announcements of a whole list, the last of them marked `full`. No more than the other end would keep. */
export function* announceAll(channels: Iterable<string>): Generator<ChanMessage> {
  const names: string[] = [];
  for (const name of channels) {
    names.push(name);
    if (names.length > MAX_CHANNELS) break;
  }
  let last: ChanMessage = { t: 'chan', add: [], del: [] };
  for (const piece of pieces(names)) {
    if (last.add.length > 0) yield last;
    last = { t: 'chan', add: piece, del: [] };
  }
  yield { ...last, full: true };
}

/** The announcements of changes: channels that got their first subscriber (true) or lost their last one (false). */
export function* announceChanges(changes: ReadonlyMap<string, boolean>): Generator<ChanMessage> {
  const names = (opened: boolean) => [...changes].filter(([, open]) => open === opened).map(([name]) => name);
  for (const piece of pieces(names(false))) yield { t: 'chan', add: [], del: piece };
  for (const piece of pieces(names(true))) yield { t: 'chan', add: piece, del: [] };
}

/** Cuts a list so that each piece fits into a message. */
function* pieces(names: readonly string[]): Generator<string[]> {
  let piece: string[] = [];
  let characters = 0;
  for (const name of names) {
    if (piece.length === CHANGES_PER_MESSAGE || characters + name.length > PIECE_CHARACTERS) {
      yield piece;
      piece = [];
      characters = 0;
    }
    piece.push(name);
    characters += name.length;
  }
  if (piece.length > 0) yield piece;
}
