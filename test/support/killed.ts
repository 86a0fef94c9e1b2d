/** Restarts of which one process is killed at a step. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { freePorts } from './ports.js';
import { end, LINES, LineDevice, Restarting } from './restarting.js';

/**
 * What becomes of the devices when one process is killed at a step: they are served on without a byte lost, or their
 * connections are closed, since the process that had their bytes is gone. Either way the other process serves.
 */
const STEPS: [step: string, newKilled: 'kept' | 'closed', oldKilled: 'kept' | 'closed'][] = [
  ['new-checked', 'kept', 'closed'],
  ['ready', 'kept', 'closed'],
  ['rested', 'kept', 'closed'],
  ['suspended', 'kept', 'closed'],
  ['new-taken', 'kept', 'kept'],
  ['new-adopted', 'kept', 'kept'],
  ['adopted', 'kept', 'kept'],
  ['going', 'closed', 'kept'],
  ['new-going', 'closed', 'kept'],
  ['new-running', 'closed', 'kept'],
  ['running', 'closed', 'kept'],
];
/** The new process at one step, the old one at the next: all of both take minutes, which `npm run nightly` does. */
const all = process.env.MOONWIRE_KILLS !== undefined;

/** Tries the steps for which `which` holds. */
export function killAt(which: (step: string) => boolean): void {
  for (const [i, [step, newKilled, oldKilled]] of STEPS.entries()) {
    if (!which(step)) continue;
    for (const [victim, devices] of [
      ['new', newKilled],
      ['old', oldKilled],
    ] as const) {
      const usual = (i % 2 === 0) === (victim === 'new');
      t.test(
        `the ${victim} process is killed at ${step}: the other serves, connections are ${devices}`,
        { skip: !all && !usual && 'MOONWIRE_KILLS=1 tries all' },
        (t) => killedAt(t, step, victim, devices),
      );
    }
  }
}

async function killedAt(t: Test, step: string, victim: 'new' | 'old', expected: 'kept' | 'closed') {
  const [tcp, api, mesh] = (await freePorts(3)) as [number, number, number];
  const folder = t.testdir({ 'lines.lua': LINES });
  const file = join(folder, 'x.yaml');
  writeFileSync(
    file,
    `
engine:
  name: kept
  apiServer: { port: ${api} }
  meshPoint: { port: ${mesh} }
  servers: [{ name: lines, port: ${tcp}, bind: 127.0.0.1, entry: ${folder}/lines.lua }]
store: { path: ${folder}/data }
`,
  );
  const gateway = await Restarting.start(t, file, { MOONWIRE_HANDOVER_PAUSE: step });
  const devices = await Promise.all(Array.from({ length: 10 }, () => LineDevice.connect(t, tcp)));
  const traffic = setInterval(() => {
    for (const device of devices) if (!device.closed) device.send();
  }, 10);
  t.teardown(() => clearInterval(traffic));
  const next = await gateway.begin();
  await gateway.until(/restart waits at/g);
  end(victim === 'new' ? next : gateway.cli.pid);
  if (victim === 'new') await gateway.until(/this process goes on/g);
  else await gateway.until(/engine kept runs/g, 2);
  const stranger = await LineDevice.connect(t, tcp);
  t.equal(stranger.wrong, undefined);
  clearInterval(traffic);
  await Promise.all(devices.map((device) => device.settle()));
  t.same(devices.map(({ wrong }) => wrong).filter(Boolean), []);
  t.same(new Set(devices.map(({ closed }) => closed)), new Set([expected === 'closed']));
  const answer = await fetch(`http://127.0.0.1:${api}/version`);
  t.equal(answer.status, 200);
}
