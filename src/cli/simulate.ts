/** `moonwire simulate`: devices without hardware, for trying an engine and its scripts. */

import { existsSync } from 'node:fs';
import { MoonwireError } from '../errors.js';
import type { Logger } from '../log.js';
import type { Connection, ConnectionHandler } from '../transports/connection.js';
import { EXIT } from './exit.js';
import { readCapture } from './hex-lines.js';
import { textLogger } from './logging.js';
import { scriptRoots } from './roots.js';
import { untilSignal } from './signals.js';
import { CapturePlayer } from './simulate-capture.js';
import { type RunningDevice, startDevice } from './simulate-device.js';
import type { SimulateOptions } from './simulate-options.js';
import { ScriptPlayer } from './simulate-script.js';
import { Tally } from './simulate-tally.js';

/** Largest piece for a `--split` without a number, in bytes. */
const DEFAULT_PIECE = 8;

/** Plays until everything was sent or a signal comes; returns the exit code. */
export async function simulate(options: SimulateOptions): Promise<number> {
  const target = options.tcp ?? options.udp ?? options.serial ?? options.listen!;
  const tally = new Tally(options.quiet ? undefined : (line) => process.stdout.write(`${line}\n`));
  const log = textLogger(options.quiet ? 'error' : 'info');
  const seed = options.seed ?? Math.floor(Math.random() * 2 ** 32);
  const split = options.split === true ? DEFAULT_PIECE : (options.split ?? 0);
  const { drop, corrupt, merge, delay: delayMs } = options;
  const faults = { drop, corrupt, merge, split, delayMs };
  const player = await loadPlayer(options, log);
  const devices: RunningDevice[] = [];
  let lost: (Error | undefined)[] = [];
  try {
    for (let i = 0; i < options.devices; i++) {
      const label = options.devices > 1 ? `#${i + 1} ` : '';
      const observer = tally.observer(label);
      // Many devices do not speak in step.
      const startSeconds = (i / options.devices) * options.every;
      const own = (connection: Connection) => player.own(connection, startSeconds);
      const name = `device ${label}`.trim();
      const setup = { name, target, own, faults, seed: seed + i, observer };
      devices.push(await startDevice({ ...setup, reconnect: options.reconnect ?? false }, log));
    }
    lost = await Promise.race([Promise.all(devices.map(({ done }) => done)), untilSignal().then(() => [])]);
  } finally {
    await Promise.all(devices.map((device) => device.stop()));
    await player.stop();
  }
  const again = drop + corrupt + split > 0 ? `; --seed ${seed} makes the same again` : '';
  process.stdout.write(`${tally.summary()}${again}\n`);
  const errors = new Set(lost.flatMap((error) => error?.message ?? []));
  for (const message of errors) process.stderr.write(`moonwire: ${message}\n`);
  return errors.size === 0 ? EXIT.done : EXIT.failed;
}

/** What plays the devices. */
interface Player {
  own(connection: Connection, startSeconds: number): ConnectionHandler;
  stop(): Promise<void>;
}

async function loadPlayer(options: SimulateOptions, log: Logger): Promise<Player> {
  const { script, file, hex, option } = options;
  if (script !== undefined) {
    if (!existsSync(script))
      throw new MoonwireError('not_found', `cannot read ${script}: there is no such file`);
    const scripted = { name: 'device', entry: script, options: option, roots: scriptRoots(script) };
    const player = new ScriptPlayer(scripted, log);
    await player.load();
    return player;
  }
  const capture = {
    frames: hex ? [hex] : readCapture(file!),
    everySeconds: options.every,
    repeat: options.repeat,
    waitSeconds: options.wait,
  };
  return {
    own: (connection, startSeconds) => new CapturePlayer(connection, capture, startSeconds),
    stop: async () => {},
  };
}
