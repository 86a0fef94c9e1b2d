/** What devices were promised, held against what arrives. */

import type { Campaign } from './campaign.js';
import type { Member } from './member.js';

/** A report as the sink is given it. */
export interface Arrival {
  /** node-epoch-sequence. */
  readonly id: string;
  readonly device_id: string;
  readonly values: { readonly n: number };
}

/** Arrivals of an epoch that are remembered to compare their order. */
const MOST_COMPARED = 2000;
/** Ids that are remembered to find a report that was taken for two. */
const MOST_IDS = 20_000;

/** The reports of one device, which numbers them from 1. */
export class Account {
  sent = 0;
  acknowledged = 0;
  arrived = 0;
  /** Lost with the memory of a process that was killed, as eco reports may be. */
  excused = 0;
  /** Acknowledged and not arrived yet, with the moment (`Date.now`) of the acknowledgement. */
  readonly waiting = new Map<number, number>();
  private readonly taken = new Set<number>();
  private readonly ids = new Map<number, string>();
  private readonly epochs = new Map<string, { seq: number; n: number }[]>();

  constructor(
    readonly device: string,
    readonly kind: 'eco' | 'durable',
    readonly engine: Member,
    private readonly campaign: Campaign,
  ) {}

  next(): number {
    return ++this.sent;
  }

  acknowledge(n: number): void {
    if (this.taken.has(n)) return;
    this.taken.add(n);
    forget(this.taken, MOST_IDS);
    this.acknowledged++;
    if (!this.ids.has(n)) this.waiting.set(n, Date.now());
  }

  arrive({ id, values: { n } }: Arrival): void {
    const known = this.ids.get(n);
    if (known === id) {
      this.campaign.count('delivered again');
      return;
    }
    if (known !== undefined) {
      this.campaign.violation('one report became two', `${this.device} ${n} is ${known} and ${id}`);
      return;
    }
    if (!Number.isInteger(n) || n < 1 || n > this.sent) {
      this.campaign.violation('a report nobody made', `${this.device} ${n} (${id})`);
      return;
    }
    this.ids.set(n, id);
    forget(this.ids, MOST_IDS);
    this.arrived++;
    this.waiting.delete(n);
    if (this.taken.has(n)) this.compare(id, n);
  }

  /** Among reports that the device was told to be taken before it sent the next, sequences rise as its numbers do. */
  private compare(id: string, n: number): void {
    const [node, epoch, sequence] = id.split('-');
    const seq = Number(sequence);
    const key = `${node}-${epoch}`;
    const line = this.epochs.get(key) ?? [];
    if (line.length === 0) {
      this.epochs.set(key, line);
      forget(this.epochs, 16);
    }
    let at = line.length;
    while (at > 0 && line[at - 1]!.seq > seq) at--;
    const [before, after] = [line[at - 1], line[at]];
    if ((before && before.n > n) || (after && after.n < n)) {
      this.campaign.violation('order', `${this.device}: ${n} has sequence ${seq} in ${key}`);
    }
    line.splice(at, 0, { seq, n });
    if (line.length > MOST_COMPARED) line.shift();
  }

  /** What was acknowledged before `before` (`Date.now`) and has not arrived, though it should have. */
  missing(before: number): number[] {
    const found: number[] = [];
    for (const [n, at] of this.waiting) {
      if (at > before) continue;
      if (this.kind === 'eco' && this.engine.mayHaveLost(at)) {
        this.waiting.delete(n);
        this.excused++;
      } else found.push(n);
    }
    return found;
  }
}

export class Ledger {
  readonly accounts = new Map<string, Account>();

  constructor(private readonly campaign: Campaign) {}

  open(device: string, kind: 'eco' | 'durable', engine: Member): Account {
    const account = new Account(device, kind, engine, this.campaign);
    this.accounts.set(device, account);
    return account;
  }

  arrive(report: Arrival): void {
    const account = this.accounts.get(report.device_id);
    if (account) account.arrive(report);
    else this.campaign.violation('a report of nobody', JSON.stringify(report));
  }

  /** All that is missing, a line for each device. */
  missing(before = Date.now()): string[] {
    return [...this.accounts.values()].flatMap((account) => {
      const numbers = account.missing(before);
      if (numbers.length === 0) return [];
      return [`${account.device} (${account.kind}): ${numbers.length}, such as ${numbers.slice(0, 8)}`];
    });
  }

  sum(figure: 'sent' | 'acknowledged' | 'arrived' | 'excused', kind?: Account['kind']): number {
    return [...this.accounts.values()]
      .filter((account) => kind === undefined || account.kind === kind)
      .reduce((sum, account) => sum + account[figure], 0);
  }
}

/** Drops the oldest beyond `most`. */
function forget(items: Map<unknown, unknown> | Set<unknown>, most: number): void {
  if (items.size > most) items.delete(items.keys().next().value);
}
