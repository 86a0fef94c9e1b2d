/** Whether health tells the truth: nothing that is not so, and always something. What it must tell, faults look at. */

import { type Campaign, pause } from '../campaign.js';
import type { HealthAnswer, Member } from '../member.js';

const EVERY_MS = 2000;
/** Looks without an answer, in a row, of a process that runs. */
const MOST_SILENT = 5;
/** What a loaded machine alone may bring about. */
const OF_THE_MACHINE = new Set(['event_loop_lag', 'overloaded', 'budget_exceeded']);
/** What follows from that: heartbeats and answers come too late. */
const OF_A_SLOW_MACHINE = new Set(['uplink_down', 'engine_lost', 'sink_failing']);

export async function watchHealth(campaign: Campaign, member: Member): Promise<void> {
  let silent = 0;
  for (; !campaign.over; await pause(EVERY_MS)) {
    const { life } = member;
    if (!member.settled) {
      silent = 0;
      continue;
    }
    const health = await member.get<HealthAnswer>('/v1/health');
    if (!member.settled || member.life !== life || campaign.over) continue;
    if (!health) {
      if (++silent === MOST_SILENT) campaign.violation('no answer', `${member.name}: ${member.lastWords()}`);
      continue;
    }
    silent = 0;
    campaign.count('looks at health');
    if (health.reasons.some(({ code }) => code === 'event_loop_lag')) campaign.wasSlow();
    for (const { code, text } of health.reasons) {
      if (member.explains(code)) continue;
      if (OF_THE_MACHINE.has(code) || (campaign.slow && OF_A_SLOW_MACHINE.has(code)))
        campaign.count(`told of the machine: ${code}`);
      else campaign.violation('health tells what is not so', `${member.name}: ${code}, ${text}`);
    }
  }
}
