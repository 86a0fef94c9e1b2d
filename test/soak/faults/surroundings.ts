/** What is around the processes: networks, disks, clocks, cables, and those who take the reports. */

import { type Campaign, pause } from '../campaign.js';
import type { EnginePlace, Place, Site } from '../site.js';
import type { Mood, Webhook } from '../webhook.js';
import type { Fault } from './fault.js';

/** Health tells for five minutes that reports were dropped or refused. */
const TOLD_SECONDS = 330;

export function surroundingFaults(campaign: Campaign, site: Site, webhook: Webhook): Fault[] {
  const { below, pick } = campaign.random;
  const { center, engines } = site;

  /** Resets the uplink, or leaves it half open, some times in a row. */
  const cutUplink = async ({ member, proxy }: EnginePlace): Promise<void> => {
    const mends = [member.trouble('uplink_down'), center.member.trouble('engine_lost')];
    const half = below(2) === 0;
    for (let times = 1 + below(4); times > 0; times--) {
      if (half) proxy.drop();
      else proxy.cut();
      await pause(200 + below(3000));
    }
    if (half) await pause(12_000);
    for (const mend of mends) mend(60);
  };

  const fillDisk = async ({ member, disk }: Place, tells: string): Promise<void> => {
    const codes = ['outbox_failing', 'store_failing', 'feed_failing', 'sink_failing', 'reports_dropped'];
    const mend = member.trouble(...codes);
    member.diskFull = true;
    // What is acknowledged meanwhile gives back some room.
    disk.fill();
    const filling = setInterval(() => disk.fill(), 300);
    await member.mustTell(tells, 45);
    await pause(below(8000));
    clearInterval(filling);
    disk.clear();
    await member.mustNotTell(tells, 60);
    member.diskFull = false;
    mend(TOLD_SECONDS);
  };

  const jumpClock = async ({ member, jump }: Place): Promise<void> => {
    // A centre whose clock jumps makes those of its engines look wrong.
    const concerned = member === center.member ? [center, ...engines] : [{ member }];
    const mends = concerned.map((place) =>
      place.member.trouble('clock_not_set', 'uplink_down', 'engine_lost', 'sink_failing'),
    );
    for (const offset of [pick(['+3h', '-2h', '+1d', '-1d', '+60', '-60']), '+0']) {
      jump!(offset);
      await pause(3000 + below(8000));
    }
    for (const mend of mends) mend(60);
  };

  const unplug = async ({ member, line }: EnginePlace): Promise<void> => {
    const mend = member.trouble('link_down');
    await line!.unplug();
    await member.mustTell('link_down');
    await pause(below(4000));
    await line!.plug();
    await member.mustNotTell('link_down', 30);
    mend(5);
  };

  const badSink = async (): Promise<void> => {
    const mend = center.member.trouble('sink_failing');
    webhook.mood = pick<Mood>(['refuses', 'hangs', 'breaks off', 'forgets to answer']);
    await center.member.mustTell('sink_failing');
    await pause(below(8000));
    webhook.mood = 'well';
    await center.member.mustNotTell('sink_failing', 45);
    mend(15);
  };

  const faults: Fault[] = [{ name: 'sink', weight: 2, touches: ['center'], run: badSink }];
  for (const place of [center, ...engines]) {
    const { member, disk, jump } = place;
    const tells = member === center.member ? 'feed_failing' : 'outbox_failing';
    if (disk.real)
      faults.push({
        name: 'full disk',
        weight: 1.5,
        touches: [member.name],
        run: () => fillDisk(place, tells),
      });
    if (jump) {
      const touches =
        member === center.member ? ['center', ...engines.map((engine) => engine.member.name)] : [member.name];
      faults.push({ name: 'clock jump', weight: 1, touches, run: () => jumpClock(place) });
    }
  }
  for (const place of engines) {
    const { name } = place.member;
    faults.push({ name: 'uplink cut', weight: 2, touches: [`${name} uplink`], run: () => cutUplink(place) });
    if (place.line)
      faults.push({
        name: 'cable unplugged',
        weight: 1.5,
        touches: [name, `${name} line`],
        run: () => unplug(place),
      });
  }
  return faults;
}
