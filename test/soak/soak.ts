/** The campaign from its beginning to its end; `npm run soak` bundles and runs this. */

import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { random } from '../support/random.js';
import { Campaign, pause } from './campaign.js';
import { Figures } from './checks/figures.js';
import { type Life, watchGrowth } from './checks/growth.js';
import { watchHealth } from './checks/health.js';
import { baseline, rest } from './checks/rest.js';
import { settle } from './devices/population.js';
import { changeFaults } from './faults/changes.js';
import { processFaults } from './faults/processes.js';
import { surroundingFaults } from './faults/surroundings.js';
import { Ledger } from './ledger.js';
import { wreak } from './plan.js';
import { prepare } from './site.js';
import { summarize } from './summary.js';
import { Webhook } from './webhook.js';

/** Faults of one round, in seconds; the rest that follows takes about a minute. */
const ROUND_SECONDS = 210;
const FIRST_TRAFFIC_MS = 5000;
const BENCH = 'bench/README.md';
const [BEGIN, END] = ['<!-- soak -->', '<!-- /soak -->'];

const { values } = parseArgs({
  options: {
    hours: { type: 'string' },
    minutes: { type: 'string' },
    seed: { type: 'string' },
    write: { type: 'boolean', default: false },
  },
});
const minutes = values.minutes !== undefined ? Number(values.minutes) : Number(values.hours ?? 8) * 60;
if (!(minutes > 0)) throw new Error('--hours or --minutes: a number above 0');
const seed = values.seed ?? String(Math.floor(Math.random() * 2 ** 32));
process.env.SEED = seed;

const print = (line: string): void => void process.stdout.write(`${line}\n`);
const campaign = new Campaign(random({ comment: print }), print);
for (const name of ['SIGINT', 'SIGTERM', 'uncaughtException', 'unhandledRejection'] as const)
  process.once(name, (reason: unknown) => {
    print(reason instanceof Error ? `${reason.stack}` : String(reason));
    void campaign.end().then(() => process.exit(1));
  });

try {
  const ledger = new Ledger(campaign);
  const webhook = await Webhook.open(campaign, ledger);
  const site = await prepare(campaign, webhook.url);
  const members = [site.center, ...site.engines].map(({ member }) => member);
  const starts = members.map((member) => member.trouble('uplink_down', 'engine_lost', 'link_down'));
  await Promise.all(members.map((member) => member.start()));
  for (const mend of starts) mend();
  await pause(FIRST_TRAFFIC_MS);
  const files = baseline(members);

  const lives: Life[] = [];
  const figures = site.engines.map(({ member }) => new Figures(campaign, member));
  const watches = [
    ...members.flatMap((member) => [watchHealth(campaign, member), watchGrowth(campaign, member, lives)]),
    ...figures.map((figure) => figure.watch()),
  ];
  const population = settle(campaign, site, ledger);
  const faults = [
    ...processFaults(campaign, site),
    ...changeFaults(campaign, site),
    ...surroundingFaults(campaign, site, webhook),
  ];

  let [rounds, slowest] = [0, 0];
  for (; campaign.seconds < minutes * 60 && !campaign.over; rounds++) {
    const left = minutes * 60 - campaign.seconds;
    campaign.note(`round ${rounds + 1}`);
    campaign.active = true;
    campaign.commanding = true;
    await pause(FIRST_TRAFFIC_MS);
    await wreak(campaign, faults, Math.min(ROUND_SECONDS, left));
    campaign.note('rest');
    slowest = Math.max(slowest, await rest(campaign, site, ledger, population, files));
  }
  campaign.over = true;
  await Promise.all(watches);
  const dropped = figures.reduce((sum, figure) => sum + figure.dropped, 0);
  const summary = summarize(campaign, site, ledger, { seed, rounds, slowest, lives, dropped });
  print(`\n${summary}`);
  if (values.write) write(summary);
} finally {
  if (campaign.violationCount > 0) process.exitCode = 1;
  await campaign.end();
}
// What devices still wait for does not matter any more.
process.exit();

/** Puts the summary in its place in bench/README.md. */
function write(summary: string): void {
  const text = readFileSync(BENCH, 'utf8');
  const [from, to] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (from < 0 || to < from) throw new Error(`${BENCH} has no place for the summary: ${BEGIN} … ${END}`);
  writeFileSync(BENCH, `${text.slice(0, from + BEGIN.length)}\n\n${summary}\n\n${text.slice(to)}`);
}
