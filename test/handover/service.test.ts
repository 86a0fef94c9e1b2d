/** A restart under a service manager: systemd is told of the new process, with the watchdog; a container's process 1 stays. */

import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { moonwire, ROOT } from '../support/cli.js';
import { missing } from '../support/need.js';
import { freePorts } from '../support/ports.js';
import { LINES, LineDevice, Restarting } from '../support/restarting.js';
import { eventually, lives } from '../support/workers.js';

/** Node has no Unix datagram sockets: prints each message that comes to one. */
const LISTENER = `
import array, os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print('listening', flush=True)
while True:
    data, rights, *_ = s.recvmsg(4096, 1024)
    # BARRIER=1: the sender waits until its descriptor is closed.
    for _, _, fds in rights:
        for fd in array.array('i', fds):
            os.close(fd)
    print(data.decode().replace('\\n', ' '), flush=True)
`;

/** What has come to a socket of sd_notify(3). */
class Notified {
  text = '';

  private constructor(child: ChildProcessWithoutNullStreams) {
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.text += text;
    });
  }

  static async at(t: Test, path: string): Promise<Notified> {
    const child = spawn('python3', ['-c', LISTENER, path]);
    t.teardown(() => child.kill('SIGKILL'));
    const notified = new Notified(child);
    await notified.until(/listening/);
    return notified;
  }

  until(pattern: RegExp): Promise<void> {
    return eventually(`${pattern} is told`, () => pattern.test(this.text));
  }
}

async function configured(t: Test) {
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
  return { file, tcp, api };
}

t.test(
  'systemd is told which process is the main one now, and is fed by it',
  { skip: missing('systemd-notify', 'systemd') || missing('python3', 'python3') },
  async (t) => {
    const { file, tcp } = await configured(t);
    // The path of a socket has 107 bytes at most.
    const folder = mkdtempSync(join(tmpdir(), 'moonwire-notify-'));
    t.teardown(() => rmSync(folder, { recursive: true, force: true }));
    const path = join(folder, 'socket');
    const notified = await Notified.at(t, path);
    const env = { NOTIFY_SOCKET: path, WATCHDOG_USEC: '1000000' };
    const gateway = await Restarting.start(t, file, env);
    await notified.until(/READY=1/);
    await notified.until(/WATCHDOG=1/);
    t.notMatch(notified.text, /MAINPID/);
    const device = await LineDevice.connect(t, tcp);
    const next = await gateway.restart();
    t.match(notified.text, new RegExp(`READY=1 MAINPID=${next}\n`), 'before the old one ends');
    await eventually('the old one has ended', () => !lives(gateway.cli.pid));
    const before = notified.text.length;
    await eventually('it is fed', () => notified.text.slice(before).includes('WATCHDOG=1'));
    device.send();
    await device.settle();
    t.equal(device.wrong, undefined);
    process.kill(next, 'SIGTERM');
    await notified.until(/STOPPING=1/);
  },
);

const mayUnshare = spawnSync('unshare', ['--pid', '--fork', 'true']).status === 0;

t.test(
  'the first process of a container refuses, and goes on',
  { skip: !mayUnshare && 'this user may not make namespaces' },
  async (t) => {
    const { file, tcp, api } = await configured(t);
    const inside = ['--pid', '--fork', '--kill-child', '--mount-proc', process.execPath];
    const child = spawn('unshare', [...inside, join(ROOT, 'dist/cli.js'), 'engine', '-f', file], {
      env: { ...process.env, NODE_OPTIONS: '' },
    });
    t.teardown(() => child.kill('SIGKILL'));
    let log = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      log += text;
    });
    await eventually('it runs', () => log.includes('engine kept runs'));
    const device = await LineDevice.connect(t, tcp);
    const told = await moonwire(['restart', '--api', `127.0.0.1:${api}`]);
    t.equal(told.code, 1);
    t.match(told.stderr, /first process of a container/);
    device.send();
    await device.settle();
    t.same([device.wrong, device.closed], [undefined, false]);
  },
);
