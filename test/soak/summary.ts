/** What a campaign was, and what it found, as Markdown. */

import type { Campaign } from './campaign.js';
import type { Life } from './checks/growth.js';
import type { Ledger } from './ledger.js';
import type { Site } from './site.js';

export interface Outcome {
  readonly seed: string;
  readonly rounds: number;
  /** Longest time until all had arrived after a round, in seconds. */
  readonly slowest: number;
  readonly lives: readonly Life[];
  /** Reports that outboxes dropped, and counted. */
  readonly dropped: number;
}

const LONGEST_LIVES = 6;

export function summarize(campaign: Campaign, site: Site, ledger: Ledger, outcome: Outcome): string {
  const { tally } = campaign;
  const total = (name: string): number => tally.get(name) ?? 0;
  const beginning = (prefix: string): [string, number][] =>
    [...tally]
      .filter(([name]) => name.startsWith(prefix))
      .map(([name, count]) => [name.slice(prefix.length), count]);
  const list = (items: [string, number][]): string =>
    items
      .sort()
      .map(([name, count]) => `${name} ${count}`)
      .join(', ');
  const faults = beginning('fault: ');
  const rows: [string, string][] = [
    ['time', `${(campaign.seconds / 60).toFixed(0)} min, ${outcome.rounds} rounds, seed ${outcome.seed}`],
    ['faults', `${faults.reduce((sum, [, count]) => sum + count, 0)}: ${list(faults)}`],
    ['restarts', `${total('restarts carried out')} carried out, ${total('restarts taken back')} taken back`],
    ['connections', `${total('connections')} of devices, ${total('hostile connections')} hostile`],
    [
      'durable reports',
      `${ledger.sum('acknowledged', 'durable')} acknowledged, ${ledger.sum('arrived', 'durable')} arrived, 0 may be lost`,
    ],
    [
      'eco reports',
      `${ledger.sum('acknowledged', 'eco')} acknowledged, ${ledger.sum('arrived', 'eco')} arrived, ${ledger.sum('excused', 'eco')} lost within the spill window of a kill`,
    ],
    ['dropped, and counted', `${outcome.dropped}`],
    ['delivered again by sinks', `${total('delivered again')}`],
    ['all arrived after a round', `within ${outcome.slowest.toFixed(0)} s`],
    ['commands', list(beginning('commands '))],
    [
      'looks at health',
      `${total('looks at health')}; of the machine: ${list(beginning('told of the machine: ')) || 'nothing'}`,
    ],
    ...[...outcome.lives]
      .sort((a, b) => b.minutes - a.minutes)
      .slice(0, LONGEST_LIVES)
      .map(({ name, minutes, first, last, most }): [string, string] => [
        `RssAnon of ${name}`,
        `${first.toFixed(0)} → ${last.toFixed(0)} MiB over ${minutes.toFixed(0)} min, at most ${most.toFixed(0)}`,
      ]),
    ['not on this machine', site.lacking.join(', ') || 'nothing'],
    ['violations', `${campaign.violationCount}`],
  ];
  const table = ['| | |', '| --- | --- |', ...rows.map(([name, value]) => `| ${name} | ${value} |`)];
  const found = campaign.violations.map(
    ({ at, what, detail }) => `- ${at} s: ${what}: ${detail.replaceAll('\n', ' ')}`,
  );
  return [...table, ...(found.length > 0 ? ['', ...found] : [])].join('\n');
}
