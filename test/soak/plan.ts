/** Which fault comes when: chance, from a seed. */

import { type Campaign, pause } from './campaign.js';
import type { Fault } from './faults/fault.js';

/** Faults at a time. */
const MOST = 3;

/** Breaks things until the time is over; resolves once all is put right again. */
export async function wreak(campaign: Campaign, faults: readonly Fault[], seconds: number): Promise<void> {
  const { below } = campaign.random;
  const end = campaign.seconds + seconds;
  const taken = new Set<string>();
  const running = new Set<Promise<void>>();

  const begin = (fault: Fault): void => {
    for (const name of fault.touches) taken.add(name);
    campaign.note(`${fault.name}: ${fault.touches.join(', ')}`);
    campaign.count(`fault: ${fault.name}`);
    const done = fault
      .run()
      .catch((error) => campaign.violation('a fault went wrong', `${fault.name}: ${(error as Error).stack}`))
      .finally(() => {
        for (const name of fault.touches) taken.delete(name);
        running.delete(done);
      });
    running.add(done);
  };

  while (campaign.seconds < end && !campaign.over) {
    await pause(500 + below(4000));
    const free = faults.filter(({ touches }) => touches.every((name) => !taken.has(name)));
    if (running.size < MOST && free.length > 0) begin(drawn(free, below));
  }
  await Promise.all(running);
}

function drawn(faults: readonly Fault[], below: (n: number) => number): Fault {
  const all = faults.reduce((sum, { weight }) => sum + weight, 0);
  let rest = (below(1_000_000) / 1_000_000) * all;
  for (const fault of faults) {
    rest -= fault.weight;
    if (rest < 0) return fault;
  }
  return faults.at(-1)!;
}
