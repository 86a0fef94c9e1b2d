/** Processes that are killed, ended, frozen, and replaced with their connections kept. */

import { readFileSync } from 'node:fs';
import { type Campaign, pause, within } from '../campaign.js';
import { type Member, signal } from '../member.js';
import type { Site } from '../site.js';
import type { Fault } from './fault.js';

interface RestartStatus {
  pid: number;
  underWay: boolean;
  failure?: string;
}

export function processFaults(campaign: Campaign, { center, engines }: Site): Fault[] {
  const { below } = campaign.random;
  const rough = engines[0]!.member;

  /** Takes a process away for a moment, and sees to it that the others tell. */
  const absence = async (member: Member, end: () => Promise<void>): Promise<void> => {
    const seconds = below(2) === 0 ? below(3) : 6 + below(8);
    const mends =
      member === center.member
        ? engines.map((engine) => engine.member.trouble('uplink_down'))
        : [center.member.trouble('engine_lost')];
    await end();
    if (seconds >= 6) {
      if (member === center.member)
        await Promise.all(engines.map((engine) => engine.member.mustTell('uplink_down')));
      else await center.member.mustTell('engine_lost');
    }
    await pause(seconds * 1000);
    const own = member.trouble('uplink_down', 'engine_lost', 'link_down', 'sink_failing');
    await member.start();
    for (const mend of [...mends, own]) mend();
  };

  const statusOf = (member: Member): Promise<RestartStatus | undefined> => member.get('/v1/restart');

  /** Replaces the process; `disturb` may kill one of both meanwhile. */
  const restart = async (member: Member, disturb?: () => void): Promise<void> => {
    const mends = [
      center.member.trouble('engine_lost'),
      member.trouble('uplink_down', 'link_down', 'engine_lost'),
    ];
    const before = member.pid;
    member.settled = false;
    await member.request('POST', '/v1/restart');
    disturb?.();
    let status: RestartStatus | undefined;
    const over = await within(90, async () => {
      status = await statusOf(member);
      return (
        status !== undefined && !status.underWay && (status.pid !== before || status.failure !== undefined)
      );
    });
    if (status) member.pid = status.pid;
    if (!over) campaign.violation('a restart has no end', `${member.name}: ${JSON.stringify(status)}`);
    else if (status!.failure !== undefined && !disturb)
      campaign.violation('a restart failed', `${member.name}: ${status!.failure}`);
    if (status && status.pid !== before) member.life++;
    campaign.count(status?.failure === undefined ? 'restarts carried out' : 'restarts taken back');
    member.settled = true;
    for (const mend of mends) mend();
  };

  /** Kills the old or the new process in the middle: one of both must go on. */
  const brokenRestart = async (member: Member): Promise<void> => {
    const [old, delay, both] = [member.pid, below(2500), below(4)];
    await restart(member, () => {
      setTimeout(() => {
        const killed = both === 0 ? [old] : childrenOf(old);
        for (const pid of killed) signal(pid, 'SIGKILL');
        if (killed.length > 0) member.died(Date.now());
      }, delay);
    });
  };

  const freeze = async (member: Member): Promise<void> => {
    const mends = [
      member.trouble('event_loop_lag', 'uplink_down', 'engine_lost', 'overloaded', 'sink_failing'),
      ...[center, ...engines].map((place) => place.member.trouble('engine_lost', 'uplink_down')),
    ];
    member.settled = false;
    member.signal('SIGSTOP');
    await pause(3000 + below(7000));
    member.signal('SIGCONT');
    member.settled = true;
    for (const mend of mends) mend(90);
  };

  const { name } = rough;
  return [
    {
      name: 'kill -9 of an engine',
      weight: 4,
      touches: [name],
      run: () => absence(rough, () => rough.kill()),
    },
    { name: 'stop of an engine', weight: 2, touches: [name], run: () => absence(rough, () => rough.stop()) },
    { name: 'restart with connections kept', weight: 4, touches: [name], run: () => restart(rough) },
    { name: 'kill -9 during a restart', weight: 2, touches: [name], run: () => brokenRestart(rough) },
    {
      name: 'kill -9 of the centre',
      weight: 2,
      touches: ['center'],
      run: () => absence(center.member, () => center.member.kill()),
    },
    {
      name: 'stop of the centre',
      weight: 1,
      touches: ['center'],
      run: () => absence(center.member, () => center.member.stop()),
    },
    ...[center, ...engines].map(({ member }) => ({
      name: `freeze of ${member.name}`,
      weight: 1,
      touches: [member.name],
      run: () => freeze(member),
    })),
  ];
}

/** The processes that this one started. */
function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}
