/** Whether the system under a gateway is fit for long running: clock, memory, disk, watchdog, memory profile. */

import { execFile } from 'node:child_process';
import { getHeapStatistics } from 'node:v8';
import type { Board } from './board.js';
import { bootLines } from './boot-config.js';
import { type Check, toCheck } from './check.js';
import type { Machine } from './machine.js';

const MIB = 2 ** 20;
/** An idle engine has 32 MiB of its own; below this there is no room for its work. */
const LOW_MEMORY_MIB = 64;
/** Below this the system itself has too little left. */
const NO_MEMORY_MIB = 24;
/** Less than this on disk keeps the journal from opening its next segment. */
const NO_DISK_MIB = 16;
/** How far the heap may exceed the profile's size: V8 adds its young generation to it. */
const HEAP_TOLERANCE = 1.3;
const TIMEDATECTL_MS = 3000;

/** Runs a program and yields what it prints; undefined when it is not there or fails. */
export type RunProgram = (program: string, args: readonly string[]) => Promise<string | undefined>;

/** The real programs of this machine. */
export const runProgram: RunProgram = (program, args) =>
  new Promise((resolve) => {
    execFile(program, args, { timeout: TIMEDATECTL_MS }, (error, stdout) =>
      resolve(error ? undefined : stdout),
    );
  });

/** A wrong clock gives wrong times to all reports. */
export async function checkClock(machine: Machine, run: RunProgram): Promise<Check> {
  if (machine.exists('/run/systemd/timesync/synchronized'))
    return toCheck('clock', ['ok', 'the clock is synchronised']);
  // It asks the kernel (adjtimex), and so also knows of chrony and ntpd.
  const answer = (await run('timedatectl', ['show', '--property=NTPSynchronized', '--value']))?.trim();
  if (answer === 'yes') return toCheck('clock', ['ok', 'the clock is synchronised']);
  if (answer === 'no') {
    const type = ['sudo timedatectl set-ntp true', 'timedatectl timesync-status'];
    return toCheck('clock', [
      'warning',
      'the clock is not synchronised: times of reports may be wrong',
      type,
    ]);
  }
  return toCheck('clock', ['unknown', 'nothing here tells whether the clock is synchronised']);
}

/** Memory that is left for the engine to grow. */
export function checkMemory(machine: Machine): Check {
  const memory = machine.memory();
  if (!memory) return toCheck('memory', ['unknown', 'the size of the memory cannot be read']);
  const available = Math.floor(memory.available / MIB);
  const text = `${available} MiB of ${Math.floor(memory.total / MIB)} MiB memory are available`;
  if (available >= LOW_MEMORY_MIB) return toCheck('memory', ['ok', text]);
  return toCheck('memory', [
    available < NO_MEMORY_MIB ? 'problem' : 'warning',
    `${text}: an engine needs ${LOW_MEMORY_MIB} MiB to work in`,
    ['ps -eo rss,comm --sort=-rss | head'],
  ]);
}

/**
 * Room on disk for the store.
 * @param path folder of the store
 * @param maxBytes how large the store may grow
 */
export function checkDisk(machine: Machine, path: string, maxBytes: number): Check {
  const free = machine.freeBytes(path);
  if (free === undefined) return toCheck('disk', ['unknown', `the free space at ${path} cannot be read`]);
  const text = `${Math.floor(free / MIB)} MiB are free for ${path}`;
  const type = [`df -h ${path}`, 'sudo journalctl --vacuum-size=50M', 'sudo apt-get clean'];
  if (free < NO_DISK_MIB * MIB)
    return toCheck('disk', ['problem', `${text}: reports can hardly be kept`, type]);
  if (free >= maxBytes) return toCheck('disk', ['ok', text]);
  const limit = Math.ceil(maxBytes / MIB);
  return toCheck('disk', ['warning', `${text}, less than the ${limit} MiB the store may use`, type]);
}

/** Whether the hardware starts a machine anew that hangs. */
export function checkWatchdog(machine: Machine, board: Board | undefined): Check {
  const device = board?.watchdog?.device ?? '/dev/watchdog';
  if (!machine.exists(device)) {
    if (!board?.watchdog)
      return toCheck('watchdog', ['unknown', `there is no ${device}; the board may have none`]);
    const { type } = bootLines(board, board.watchdog.enable, machine);
    return toCheck('watchdog', [
      'warning',
      `there is no ${device}: nothing starts this machine anew when it hangs`,
      type,
    ]);
  }
  const seconds = runtimeWatchdog(machine);
  if (seconds !== undefined)
    return toCheck('watchdog', ['ok', `systemd feeds ${device} (RuntimeWatchdogSec=${seconds})`]);
  const most = Math.min(board?.watchdog?.maxSeconds ?? 60, 60);
  return toCheck('watchdog', [
    'warning',
    `${device} is there but nobody feeds it: nothing starts this machine anew when it hangs`,
    [
      'sudo mkdir -p /etc/systemd/system.conf.d',
      `printf '[Manager]\\nRuntimeWatchdogSec=${most}\\n' | sudo tee /etc/systemd/system.conf.d/watchdog.conf`,
      'sudo systemctl daemon-reexec',
    ],
  ]);
}

/** The setting of systemd's own configuration, as written; the last file wins. Undefined when it is off. */
function runtimeWatchdog(machine: Machine): string | undefined {
  const folders = [
    '/usr/lib/systemd/system.conf.d',
    '/etc/systemd/system.conf.d',
    '/run/systemd/system.conf.d',
  ];
  const files = folders.flatMap((folder) =>
    machine.names(folder).map((name) => ({ name, path: `${folder}/${name}` })),
  );
  files.sort((a, b) => (a.name < b.name ? -1 : Number(a.name > b.name)));
  let value: string | undefined;
  for (const path of ['/etc/systemd/system.conf', ...files.map((file) => file.path)]) {
    value = /^RuntimeWatchdogSec=(.*)$/m.exec(machine.text(path) ?? '')?.[1]?.trim() ?? value;
  }
  return value === undefined || /^(0|off|infinity)?$/.test(value) ? undefined : value;
}

/** The flags of a board's memory profile for the memory this machine has. */
export function profileFlags(board: Board, machine: Machine): readonly string[] {
  const total = (machine.memory()?.total ?? Infinity) / MIB;
  return board.memory.find(({ below }) => below === undefined || total < below)!.flags;
}

/**
 * Whether the heap is bounded as the board's memory profile says. V8 takes the bound at its start only, from its
 * command line or NODE_OPTIONS.
 * @param heapLimit bytes; default: as the service's unit says, else as of this process
 */
export function checkProfile(machine: Machine, board: Board | undefined, heapLimit?: number): Check {
  const flags = board ? profileFlags(board, machine) : [];
  const wanted = oldSpace(flags.join(' '));
  if (wanted === undefined)
    return toCheck('profile', ['unknown', 'no memory profile is known for this machine']);
  const bytes = heapLimit ?? getHeapStatistics().heap_size_limit;
  const limit = (heapLimit === undefined ? serviceLimit(machine) : undefined) ?? Math.round(bytes / MIB);
  if (limit <= wanted * HEAP_TOLERANCE)
    return toCheck('profile', ['ok', `the heap is bounded at ${limit} MiB`]);
  const options = `NODE_OPTIONS=${flags.join(' ')}`;
  return toCheck('profile', [
    'warning',
    `the heap may grow to ${limit} MiB; the memory profile of the board says ${wanted} MiB`,
    [
      'sudo mkdir -p /etc/systemd/system/moonwire.service.d',
      `printf '[Service]\\nEnvironment="${options}"\\n' | sudo tee /etc/systemd/system/moonwire.service.d/memory.conf`,
      'sudo systemctl daemon-reload && sudo systemctl restart moonwire',
    ],
  ]);
}

/** The bound in MiB that the service's unit sets; of several files the last wins. */
function serviceLimit(machine: Machine): number | undefined {
  const folder = '/etc/systemd/system/moonwire.service.d';
  const files = machine.names(folder).map((name) => `${folder}/${name}`);
  const units = ['/usr/lib/systemd/system', '/etc/systemd/system'].map(
    (place) => `${place}/moonwire.service`,
  );
  return [...units, ...files]
    .map((path) => oldSpace(/^Environment=.*NODE_OPTIONS=.*$/m.exec(machine.text(path) ?? '')?.[0] ?? ''))
    .findLast((size) => size !== undefined);
}

function oldSpace(flags: string): number | undefined {
  const size = /--max-old-space-size=(\d+)/.exec(flags)?.[1];
  return size === undefined ? undefined : Number(size);
}
