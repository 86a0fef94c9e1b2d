/** Scripts and configurations that are saved and reloaded, good ones and bad ones. */

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Campaign, within } from '../campaign.js';
import type { EnginePlace, Site } from '../site.js';
import type { Fault } from './fault.js';

interface Reloads {
  reloads: { server: string; outcome: string; reason?: string }[];
}

interface Scripts {
  scripts: { server: string; last_reload?: { outcome: string } }[];
}

const BAD_SCRIPTS = [
  'this is no Lua',
  'error "while it loads"',
  'while true do end',
  'local t = {} for i = 1, 1e9 do t[i] = ("x"):rep(1e6) end',
  'function init() error "init fails" end return require "no.such.module"',
  'local function deep(n) return 1 + deep(n + 1) end deep(1)',
];

/** Loads, and fails with what devices say. */
const FAILING_SCRIPT = 'return { answer = function() error "every time" end }';
const SWITCH_BACK_SECONDS = 60;

const BAD_CONFIGS: readonly ((text: string) => string)[] = [
  (text) => `${text}\n  : [`,
  (text) => text.replace('port:', 'prot:'),
  (text) => text.replace(/frameBytes: \d+/, 'frameBytes: -1'),
  (text) => text.replace('lines.lua', 'gone.lua'),
  () => '- 1\n- 2\n',
  (text) => text.replace('engine:', 'engine: &a\n  labels: { a: *b }'),
];

export function changeFaults(campaign: Campaign, { engines }: Site): Fault[] {
  const good = readFileSync(numbersOf(engines[0]!), 'utf8');
  let version = 1;

  const reload = async ({ member }: EnginePlace): Promise<Reloads['reloads'] | undefined> => {
    const answer = await member.request('POST', '/v1/scripts/reload', {});
    return answer?.status === 200 ? (answer.body as Reloads).reloads : undefined;
  };

  const newScript = async (place: EnginePlace): Promise<void> => {
    writeFileSync(numbersOf(place), good.replace('version = 1', `version = ${++version}`));
    const reloads = await reload(place);
    const wrong = reloads?.filter(({ outcome }) => outcome !== 'reloaded' && outcome !== 'unchanged') ?? [];
    if (!reloads || wrong.length > 0)
      campaign.violation(
        'a good script is refused',
        `${place.member.name}: ${JSON.stringify(reloads ?? 'no answer')}`,
      );
  };

  const badScript = async (place: EnginePlace): Promise<void> => {
    writeFileSync(numbersOf(place), campaign.random.pick(BAD_SCRIPTS));
    const mend = place.member.trouble('budget_exceeded', 'event_loop_lag');
    const reloads = await reload(place);
    const taken = reloads?.filter(({ outcome }) => outcome === 'reloaded') ?? [];
    if (!reloads || taken.length > 0)
      campaign.violation(
        'a bad script is taken',
        `${place.member.name}: ${JSON.stringify(reloads ?? 'no answer')}`,
      );
    writeFileSync(numbersOf(place), good.replace('version = 1', `version = ${++version}`));
    mend(330);
    await newScript(place);
  };

  /** The lines of an engine, which many devices speak, must get their old code back by themselves. */
  const failingScript = async (place: EnginePlace): Promise<void> => {
    writeFileSync(numbersOf(place), FAILING_SCRIPT);
    await place.member.request('POST', '/v1/scripts/reload', { server: 'lines' });
    let last: string | undefined;
    const back = await within(SWITCH_BACK_SECONDS, async () => {
      const found = await place.member.get<Scripts>('/v1/scripts');
      last = found?.scripts.find(({ server }) => server === 'lines')?.last_reload?.outcome;
      return last === 'switched_back';
    });
    if (!back) campaign.violation('a failing script stays', `${place.member.name}: ${last}`);
    await newScript(place);
  };

  const configure = async ({ member, config }: EnginePlace, text: string): Promise<number | undefined> => {
    writeFileSync(config, text);
    return (await member.request('POST', '/v1/config/reload', {}))?.status;
  };

  const newConfig = async (place: EnginePlace): Promise<void> => {
    const text = readFileSync(place.config, 'utf8');
    const changed = text
      .replace(/ {4}- \{ name: extra.*\n/, '')
      .replace(/idleSeconds: \d+/, `idleSeconds: ${15 + campaign.random.below(20)}`);
    const extra = `    - { name: extra, port: 0, bind: 127.0.0.1, entry: ${join(place.scripts, 'lines.lua')} }\n`;
    const next =
      text === changed || !text.includes('name: extra')
        ? changed.replace('  servers:\n', `  servers:\n${extra}`)
        : changed;
    const status = await configure(place, next);
    if (status !== 200)
      campaign.violation('a good configuration is refused', `${place.member.name}: ${status}`);
  };

  const badConfig = async (place: EnginePlace): Promise<void> => {
    const text = readFileSync(place.config, 'utf8');
    const status = await configure(place, campaign.random.pick(BAD_CONFIGS)(text));
    if (status === undefined || status < 400 || status >= 500)
      campaign.violation('a bad configuration is taken', `${place.member.name}: ${status}`);
    const again = await configure(place, text);
    if (again !== 200)
      campaign.violation('a good configuration is refused', `${place.member.name}: ${again}`);
  };

  return engines.flatMap((place) => {
    const { name } = place.member;
    return [
      { name: 'good script', weight: 1.5, touches: [name], run: () => newScript(place) },
      { name: 'bad script', weight: 1, touches: [name], run: () => badScript(place) },
      {
        name: 'failing script',
        weight: 1,
        touches: [name],
        run: () => failingScript(place),
      },
      { name: 'good configuration', weight: 1.5, touches: [name], run: () => newConfig(place) },
      { name: 'bad configuration', weight: 1, touches: [name], run: () => badConfig(place) },
    ];
  });
}

/** The module that all scripts of an engine use. */
function numbersOf({ scripts }: EnginePlace): string {
  return join(scripts, 'numbers.lua');
}
