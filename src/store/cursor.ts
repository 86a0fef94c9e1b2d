/** How far one reader of a feed has come, on disk. */

import type { KeyValue } from './keyvalue.js';

export class Cursor {
  /** Reports that were given up before the reader had them; rises. */
  dropped = 0;
  private place = 0;
  private within = 0;
  private ahead = 0;
  private readonly known: boolean;

  /** `moved` is called after each step. */
  constructor(
    readonly reader: string,
    private readonly values: KeyValue,
    private readonly moved: () => void,
  ) {
    const kept = decode(values.get(reader));
    this.known = kept !== undefined;
    if (kept) [this.place, this.within] = kept;
  }

  /** Position of the first record that is not done with. */
  get position(): number {
    return this.place;
  }

  /** Reports of that record that are done with. */
  get skip(): number {
    return this.within;
  }

  /** Reports the reader does not have yet. */
  get pending(): number {
    return this.ahead;
  }

  /**
   * The reader is done with all before `position`, with `skip` reports of the record there, and thereby with
   * `reports` more than before. Resolves when that is on disk, within a second; rejects when it cannot be now. A
   * step behind where the bounds of the feed have put the cursor is ignored.
   */
  advance(position: number, skip: number, reports: number): Promise<void> {
    if (position < this.place) return Promise.resolve();
    this.ahead -= reports;
    return this.put(position, skip);
  }

  /** A record with so many reports is there. */
  note(position: number, reports: number): void {
    if (position < this.place) return;
    this.ahead += position === this.place ? reports - this.within : reports;
  }

  /** All is known that the feed holds, and ends at `end`. A new reader begins there. Resolves as `advance`. */
  settle(end: number): Promise<void> {
    if (this.known && this.place <= end) return Promise.resolve();
    // A cursor beyond the end was there when a damaged end of the feed was not: it has had all that is left.
    this.ahead = 0;
    return this.put(end, 0);
  }

  /** The feed has no record before `position` any more, and `left` reports from there on. Returns those missed. */
  skipTo(position: number, left: number): number {
    if (position <= this.place) return 0;
    const missed = this.ahead - left;
    this.ahead = left;
    this.dropped += missed;
    void this.put(position, 0).catch(() => {});
    return missed;
  }

  private put(position: number, skip: number): Promise<void> {
    this.place = position;
    this.within = skip;
    const written = this.write(`${position} ${skip}`);
    written.catch(() => {});
    this.moved();
    return written;
  }

  /** A map that is full throws: the place is good in memory all the same. */
  private async write(text: string): Promise<void> {
    await this.values.set(this.reader, Buffer.from(text));
  }
}

/** `position skip` in decimal digits; undefined for anything else. */
function decode(bytes: Uint8Array | undefined): [number, number] | undefined {
  const match = bytes && /^(\d{1,16}) (\d{1,9})$/.exec(Buffer.from(bytes).toString('latin1'));
  const position = Number(match?.[1]);
  return match && Number.isSafeInteger(position) ? [position, Number(match[2])] : undefined;
}
