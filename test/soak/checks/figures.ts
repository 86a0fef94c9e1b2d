/** Whether what an outbox counts adds up: every report it took is waiting, acknowledged or dropped. */

import { type Campaign, pause } from '../campaign.js';
import type { Member } from '../member.js';

const EVERY_MS = 3000;
/** Looks in a row that may find a difference. */
const MOST_OFF = 6;

interface Outbox {
  records: number;
  reports: number;
  acknowledged: { live: number; backlog: number };
  dropped: { full: number; expired: number };
  damaged_parts: number;
}

export class Figures {
  /** Reports dropped, over all lives. */
  dropped = 0;
  /** Reports that are missing from the sum, and for how many looks. */
  private drift = 0;
  private off = 0;
  private before: { life: number; pid: number; outbox: Outbox } | undefined;

  constructor(
    private readonly campaign: Campaign,
    private readonly member: Member,
  ) {}

  async watch(): Promise<void> {
    for (; !this.campaign.over; await pause(EVERY_MS)) {
      const { life, pid } = this.member;
      if (!this.member.settled) continue;
      const outbox = await this.member.get<Outbox>('/v1/outbox');
      if (!outbox || !this.member.settled || this.member.life !== life || this.member.pid !== pid) continue;
      this.compare(life, pid, outbox);
    }
  }

  private compare(life: number, pid: number, outbox: Outbox): void {
    const { before, campaign, member } = this;
    this.before = { life, pid, outbox };
    if (outbox.damaged_parts > 0)
      campaign.violation('damage', `${member.name}: ${outbox.damaged_parts} parts`);
    if (!before || before.life !== life || before.pid !== pid || outbox.reports < before.outbox.reports) {
      [this.drift, this.off] = [0, 0];
      return;
    }
    const dropped = sum(outbox.dropped) - sum(before.outbox.dropped);
    this.dropped += dropped;
    const taken = outbox.reports - before.outbox.reports;
    const gone = sum(outbox.acknowledged) - sum(before.outbox.acknowledged) + dropped;
    this.drift += taken - gone - (outbox.records - before.outbox.records);
    // Durable reports of the turn at hand are counted where they are written, at its end.
    this.off = this.drift === 0 ? 0 : this.off + 1;
    if (this.off === MOST_OFF)
      campaign.violation(
        'figures do not add up',
        `${member.name}: by ${this.drift}, ${JSON.stringify(outbox)}`,
      );
  }
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((all, count) => all + count, 0);
}
