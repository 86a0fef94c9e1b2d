/**
 * Lends a line to somebody outside who needs the port itself, such as a scan that tries line settings: the links on it
 * close, and open again when it is given back. A borrower that dies gives it back too: what it has is a lease, which
 * ends by itself unless it is renewed.
 */

import { setTimeout as pause } from 'node:timers/promises';
import type { LinkConfig } from '../../config/schema.js';
import { Failure, MoonwireError } from '../../errors.js';
import type { Logger } from '../../log.js';
import { type Buses, busNameOf } from './buses.js';

/** What is lent. */
export interface LentLink {
  readonly config: LinkConfig;
  /** Closes the connection and opens no other. */
  pause(): Promise<void>;
  /** Opens it again. */
  resume(): void;
}

/** Seconds a transaction under way may take to its end before the line is taken from it. */
const LAST_TRANSACTION_SECONDS = 5;

class Lease {
  private timer: NodeJS.Timeout | undefined;
  ended = false;
  /** The line is free for its borrower. */
  readonly free: Promise<void>;

  constructor(
    /** What its borrower calls it; it alone knows it. */
    readonly id: string,
    readonly links: readonly LentLink[],
    free: () => Promise<void>,
    private readonly giveBack: () => void,
  ) {
    this.free = free();
  }

  /** It lasts for so long from now on. */
  renew(seconds: number): void {
    if (this.ended) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.end(), seconds * 1000).unref();
  }

  /** Resolves when the line is back. */
  async end(): Promise<void> {
    if (this.ended) return;
    this.ended = true;
    clearTimeout(this.timer);
    await this.free;
    this.giveBack();
  }
}

export class Leases {
  /** By the name of the line's bus. */
  private readonly lent = new Map<string, Lease>();

  constructor(
    private readonly links: readonly LentLink[],
    private readonly buses: Buses,
    private readonly log: Logger,
  ) {}

  /**
   * Lends the line of a link, with all links on it, or renews a lease. The transaction under way ends first; requests
   * wait in their queue. Resolves, once the line is free, to the names of its links; or to a {@link Failure}:
   * `not_found`, `conflict` (somebody else has it), `timeout` (it took longer than `seconds`).
   * @param id what the borrower calls its lease
   * @param seconds from now until the lease ends by itself
   */
  async take(linkName: string, id: string, seconds: number): Promise<readonly string[] | Failure> {
    const link = this.links.find(({ config }) => config.name === linkName);
    if (!link) return new Failure(`not_found: no link ${linkName}`);
    const line = busNameOf(link.config);
    let lease = this.lent.get(line);
    if (lease && lease.id !== id) return new Failure(`conflict: the line of ${linkName} is lent already`);
    if (!lease) {
      lease = this.lend(line, id);
      this.lent.set(line, lease);
    }
    lease.renew(seconds);
    await lease.free;
    if (lease.ended) return new Failure('timeout: the lease ended before the line was free');
    return lease.links.map(({ config }) => config.name);
  }

  /** Gives a line back. Resolves to a {@link Failure} `not_found` when there is no such lease (any more). */
  async giveBack(linkName: string, id: string): Promise<Failure | undefined> {
    const link = this.links.find(({ config }) => config.name === linkName);
    const lease = link && this.lent.get(busNameOf(link.config));
    if (lease?.id !== id) return new Failure(`not_found: link ${linkName} has no lease ${id}`);
    await lease.end();
    return undefined;
  }

  /** Throws `conflict` when the line of a link is lent: nothing may open on it. */
  checkFree(config: LinkConfig): void {
    if (!this.lent.has(busNameOf(config))) return;
    throw new MoonwireError('conflict', `the line of ${config.name} is lent`, config.name);
  }

  /** Gives the line of a link back, whoever has it, if it is lent. */
  async endOf(config: LinkConfig): Promise<void> {
    await this.lent.get(busNameOf(config))?.end();
  }

  /** Gives all lines back. */
  async close(): Promise<void> {
    await Promise.all([...this.lent.values()].map((lease) => lease.end()));
  }

  private lend(line: string, id: string): Lease {
    const links = this.links.filter(({ config }) => busNameOf(config) === line);
    const bus = () => this.buses.all.get(line);
    const names = links.map(({ config }) => config.name).join(', ');
    this.log.info(`the line of ${names} is lent`);
    const free = async (): Promise<void> => {
      const held = bus()?.hold();
      if (held) await Promise.race([held, pause(LAST_TRANSACTION_SECONDS * 1000, undefined, { ref: false })]);
      await Promise.all(links.map((link) => link.pause()));
    };
    return new Lease(id, links, free, () => {
      this.lent.delete(line);
      this.log.info(`the line of ${names} is back`);
      bus()?.release();
      for (const link of links) link.resume();
    });
  }
}
