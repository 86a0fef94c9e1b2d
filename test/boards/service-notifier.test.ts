import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { type ServiceEnvironment, serviceNotifier } from '../../src/boards/service-notifier.js';
import { type Logger, silentLogger } from '../../src/log.js';
import { missing } from '../support/need.js';

/**
 * Systemd's end: a datagram socket that keeps what it is sent, in Perl, which every Debian has. It takes no file
 * descriptors, so the one by which systemd-notify learns that its message was read is closed at once.
 */
const RECEIVE = `
  socket(S, AF_UNIX, SOCK_DGRAM, 0) and bind(S, sockaddr_un($ARGV[0])) or die $!;
  $| = 1;
  print "$message\\n" while defined recv(S, $message, 65536, 0);
`;
/** A program in the place of systemd-notify: sends its argument as a datagram. */
const SEND = `#!/usr/bin/perl
  use Socket;
  socket(S, AF_UNIX, SOCK_DGRAM, 0) and defined send(S, $ARGV[0], 0, sockaddr_un($ENV{NOTIFY_SOCKET})) or die $!;
`;

class Manager {
  received = '';
  readonly folder: string;
  readonly socket: string;
  private readonly child: ChildProcess;

  constructor(t: Test) {
    // The name of a socket may have 107 bytes: not in the folder of the test.
    this.folder = mkdtempSync(join(tmpdir(), 'moonwire-'));
    this.socket = join(this.folder, 'notify');
    this.child = spawn('perl', ['-MSocket', '-e', RECEIVE, this.socket], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.child.stdout!.on('data', (bytes: Buffer) => {
      this.received += bytes.toString();
    });
    t.teardown(async () => {
      const ended = once(this.child, 'exit');
      this.child.kill();
      await ended;
      rmSync(this.folder, { recursive: true });
    });
  }

  get env(): ServiceEnvironment {
    return { PATH: process.env.PATH, NOTIFY_SOCKET: this.socket };
  }

  count(message: string): number {
    return this.received.split(message).length - 1;
  }

  /** The test's time limit bounds the wait. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      if (this.child.exitCode !== null) throw new Error(`perl ended with ${this.child.exitCode}`);
      await setTimeout(10);
    }
  }

  async listening(): Promise<this> {
    await this.until(() => existsSync(this.socket));
    return this;
  }
}

const WATCHDOG = { WATCHDOG_USEC: '400000', WATCHDOG_PID: String(process.pid) };

for (const [sender, skip] of [
  ['systemd-notify', missing('perl', 'perl-base') || missing('systemd-notify', 'systemd')],
  ['a stand-in for systemd-notify', missing('perl', 'perl-base')],
] as const) {
  /** The stand-in sends each of its arguments as a datagram. */
  const environment = (manager: Manager): ServiceEnvironment => {
    if (sender === 'systemd-notify') return manager.env;
    const program = join(manager.folder, 'systemd-notify');
    writeFileSync(program, SEND);
    chmodSync(program, 0o755);
    return { ...manager.env, PATH: manager.folder };
  };

  t.test(`${sender}: ready, fed while alive, stopping`, { skip }, async (t) => {
    const manager = await new Manager(t).listening();
    let alive = true;
    const lines: string[] = [];
    const log: Logger = {
      ...silentLogger,
      info: (line) => void lines.push(line),
      error: (line) => void lines.push(line),
    };
    const notifier = serviceNotifier(() => alive, log, { ...environment(manager), ...WATCHDOG });
    await notifier.ready();
    await manager.until(() => manager.count('READY=1') === 1);
    await manager.until(() => manager.count('WATCHDOG=1') >= 2);

    alive = false;
    await manager.until(() => lines.length === 1);
    t.match(lines, [/^the watchdog is not fed any more/]);
    await setTimeout(300);
    const fed = manager.count('WATCHDOG=1');
    await setTimeout(500);
    t.equal(manager.count('WATCHDOG=1'), fed, 'two feedings are left out');

    alive = true;
    await manager.until(() => manager.count('WATCHDOG=1') > fed);
    t.match(lines, [/./, 'the watchdog is fed again']);

    await notifier.stopping();
    await manager.until(() => manager.count('STOPPING=1') === 1);
    t.equal(manager.count('READY=1'), 1);
    t.equal(lines.length, 2);
  });
}

t.test('an answer that fails is no', { skip: missing('perl', 'perl-base') }, async (t) => {
  const errors: string[] = [];
  const log: Logger = { ...silentLogger, error: (line) => void errors.push(line) };
  const manager = await new Manager(t).listening();
  const env = { ...manager.env, ...WATCHDOG, PATH: manager.folder };
  const broken = (): boolean => {
    throw new Error('no bus');
  };
  const notifier = serviceNotifier(broken, log, env);
  await notifier.ready();
  t.match(errors, [
    /^systemd is not told READY=1: there is no program systemd-notify \(apt-get install systemd\)$/,
  ]);
  await manager.until(() => errors.length >= 3);
  t.match(errors.slice(1), ['whether the service is alive cannot be told: no bus', /not fed any more/]);
  await notifier.stopping();
  t.equal(manager.received, '');
  t.equal(errors.filter((line) => line.startsWith('systemd is not told')).length, 1, 'told once');
});

t.test('without systemd nothing is run', async (t) => {
  const notifier = serviceNotifier(() => true, silentLogger, { PATH: '/nowhere' });
  await notifier.ready();
  await notifier.stopping();
  t.pass('and nothing fails');
});

t.test("another process's watchdog is left alone", { skip: missing('perl', 'perl-base') }, async (t) => {
  const manager = await new Manager(t).listening();
  let asked = 0;
  const alive = (): boolean => {
    asked++;
    return true;
  };
  const env = { ...manager.env, WATCHDOG_USEC: '400000', WATCHDOG_PID: '1' };
  const notifier = serviceNotifier(alive, silentLogger, env);
  await notifier.ready();
  await setTimeout(500);
  await notifier.stopping();
  t.equal(asked, 0);
});

t.test('the unit', { skip: missing('systemd-analyze', 'systemd') }, async (t) => {
  execFileSync('systemd-analyze', ['verify', '--man=no', 'configs/moonwire.service'], { stdio: 'pipe' });
  const unit = readFileSync('configs/moonwire.service', 'utf8');
  for (const line of ['Type=notify', 'NotifyAccess=all', 'SupplementaryGroups=dialout']) t.match(unit, line);
  // Without it the kernel ends Node at its start, where the processor has protection keys.
  t.match(unit, /^SystemCallFilter=.*@pkey/m);
  t.notMatch(unit, /^(PrivateDevices|DeviceAllow|ProtectClock|MemoryDenyWriteExecute)=/m);
});
