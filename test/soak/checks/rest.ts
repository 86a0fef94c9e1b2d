/** Between rounds everything is put right and devices are silent: then all that was promised must be true. */

import { type Campaign, within } from '../campaign.js';
import type { Population } from '../devices/population.js';
import type { Ledger } from '../ledger.js';
import type { HealthAnswer, Member } from '../member.js';
import type { Site } from '../site.js';

const ARRIVE_SECONDS = 120;
const SETTLE_SECONDS = 90;
const COMMANDS_SECONDS = 300;
/** Sessions, files and timers that come and go. */
const FILES_SLACK = 12;

/** Open files of each process when nobody had connected yet. */
export type Baseline = ReadonlyMap<Member, number>;

export function baseline(members: readonly Member[]): Baseline {
  return new Map(members.map((member) => [member, member.usage()?.files ?? 0]));
}

/** Waits for rest; returns how long all took to arrive, in seconds. */
export async function rest(
  campaign: Campaign,
  { center, engines }: Site,
  ledger: Ledger,
  { commanders }: Population,
  files: Baseline,
): Promise<number> {
  const members = [center.member, ...engines.map(({ member }) => member)];
  for (const { name } of members.filter(({ alive }) => !alive)) campaign.violation('not there', name);

  // Devices stay to be commanded; a command without an end is told by who gave it.
  campaign.commanding = false;
  await within(COMMANDS_SECONDS, () => commanders.every(({ busy }) => !busy));
  campaign.active = false;
  const began = campaign.seconds;
  if (!(await within(ARRIVE_SECONDS, () => ledger.missing().length === 0)))
    campaign.violation('lost', ledger.missing().join('; '));
  const took = campaign.seconds - began;

  for (const { member } of engines) {
    const empty = await within(SETTLE_SECONDS, async () => {
      const outbox = await member.get<{ records: number }>('/v1/outbox');
      return outbox?.records === 0;
    });
    if (!empty)
      campaign.violation(
        'the outbox is not empty',
        `${member.name}: ${JSON.stringify(await member.get('/v1/outbox'))}`,
      );
    const clients = await within(SETTLE_SECONDS, async () => {
      const page = await member.get<{ clients: { transport: string }[] }>('/v1/clients?limit=1000');
      return page?.clients.every(({ transport }) => transport === 'serial' || transport === 'udp');
    });
    if (!clients)
      campaign.violation(
        'clients are left',
        `${member.name}: ${JSON.stringify(await member.get('/v1/clients'))}`,
      );
  }
  const sinks = await within(SETTLE_SECONDS, async () => {
    const found = await center.member.get<{ sinks: { lag: { records: number } }[] }>('/v1/sinks');
    return found?.sinks.every(({ lag }) => lag.records === 0);
  });
  if (!sinks) campaign.violation('sinks are behind', JSON.stringify(await center.member.get('/v1/sinks')));

  for (const member of members) {
    const least = files.get(member)!;
    const closed = await within(SETTLE_SECONDS, () => (member.usage()?.files ?? 0) <= least + FILES_SLACK);
    if (!closed)
      campaign.violation('files stay open', `${member.name}: ${member.usage()?.files}, ${least} at first`);
    const well = await within(SETTLE_SECONDS, async () => {
      const health = await member.get<HealthAnswer>('/v1/health');
      return health?.ready && health.reasons.every(({ code }) => LINGERING.has(code));
    });
    if (!well)
      campaign.violation('not well', `${member.name}: ${JSON.stringify(await member.get('/v1/health'))}`);
  }
  return took;
}

/** What health tells for minutes after it was over, or a loaded machine brings about. */
const LINGERING = new Set([
  'reports_dropped',
  'reports_undelivered',
  'budget_exceeded',
  'event_loop_lag',
  'overloaded',
]);
