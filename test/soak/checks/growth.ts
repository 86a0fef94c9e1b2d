/** Memory of each process while it lives, after its warm-up. */

import { type Campaign, pause } from '../campaign.js';
import type { Member } from '../member.js';

const EVERY_MS = 5000;
const WARM_UP_MS = 60_000;
/** A life that is shorter tells nothing. */
const LEAST_SAMPLES = 36;
/** Growth from the first third of a life to its last that is not thought to be one. */
const SHARE = 0.3;
const SLACK_MIB = 12;
/** Samples of a long life are thinned out to half when there are so many. */
const MOST_SAMPLES = 4000;

/** One life as the summary tells it; MiB. */
export interface Life {
  readonly name: string;
  readonly minutes: number;
  readonly first: number;
  readonly last: number;
  readonly most: number;
}

export async function watchGrowth(campaign: Campaign, member: Member, lives: Life[]): Promise<void> {
  let samples: number[] = [];
  let [life, began] = [0, 0];
  const close = (): void => {
    if (samples.length < LEAST_SAMPLES) return;
    const third = Math.floor(samples.length / 3);
    const [first, last] = [median(samples.slice(0, third)), median(samples.slice(-third))];
    const minutes = (Date.now() - began) / 60_000;
    lives.push({ name: member.name, minutes, first, last, most: Math.max(...samples) });
    if (last > first * (1 + SHARE) + SLACK_MIB)
      campaign.violation(
        'memory grows',
        `${member.name}: ${first.toFixed(0)} to ${last.toFixed(0)} MiB in ${minutes.toFixed(0)} min`,
      );
  };
  for (; !campaign.over; await pause(EVERY_MS)) {
    if (member.life !== life) {
      close();
      [samples, life, began] = [[], member.life, Date.now()];
    }
    const usage = member.usage();
    if (!usage || Date.now() - began < WARM_UP_MS) continue;
    samples.push(usage.memory);
    if (samples.length > MOST_SAMPLES) samples = samples.filter((_, i) => i % 2 === 0);
  }
  close();
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
}
