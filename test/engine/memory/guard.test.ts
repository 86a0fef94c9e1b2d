import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { memoryCheck } from '../../../src/api/memory.js';
import { collector } from '../../../src/engine/memory/collect.js';
import { type Guarded, MemoryGuard } from '../../../src/engine/memory/guard.js';
import { shedClients } from '../../../src/engine/memory/shed-clients.js';
import { cgroupBound, MemoryReader, oldSpaceLimit } from '../../../src/engine/memory/use.js';
import { Device, recordingLogger, startWithScript, type TestEngine, until } from '../../support/engine.js';

const MIB = 2 ** 20;
const ECHO = 'function protocol_input(b) return b:length() end function on_message(m, conn) conn:send(m) end';

/** An engine whose guard reads memory that the test sets, in MiB of 100. */
async function guarded(
  t: Test,
  script = ECHO,
): Promise<{ e: TestEngine; guard: MemoryGuard; own: (mib: number) => void; shrunk: () => number }> {
  const e = await startWithScript(script, '{ idleSeconds: 0 }');
  t.teardown(() => e.stop());
  let own = 10;
  let shrunk = 0;
  e.engine.memory.stop();
  const parts: Guarded = {
    clients: e.engine.clients,
    stations: () => e.engine.servers.map(({ station }) => station),
    shrink: () => {
      shrunk++;
    },
  };
  const guard = new MemoryGuard(parts, recordingLogger(e.log), {
    max: 100 * MIB,
    use: () => ({ heap: 0, heapLimit: 1, own: own * MIB, needed: own * MIB }),
    collect: () => {},
  });
  Object.assign(e.engine, { memory: guard });
  e.engine.limits.memory = guard;
  guard.start();
  t.teardown(() => guard.stop());
  return {
    e,
    guard,
    own: (mib) => {
      own = mib;
    },
    shrunk: () => shrunk,
  };
}

const refused = (e: TestEngine): number => e.engine.servers[0]!.listener!.counters.refusedMemory;

t.test('nobody new is let in while memory is short, and those who are in go on', async (t) => {
  const { e, guard, own, shrunk } = await guarded(t);
  const check = memoryCheck(e.engine);
  const codes = () => [...check(performance.now() / 1000)].map(({ code }) => code);
  const d = await Device.connect(e.port());
  t.same(codes(), []);
  own(82);
  await until(() => guard.refusing);
  t.same(codes(), ['memory_short']);
  t.equal(shrunk(), 1, 'what is kept to be fast goes to disk first');
  t.equal(guard.counters.collect, 1, 'not at every look');
  const stranger = connect(e.port(), '127.0.0.1').on('error', () => {});
  await until(() => refused(e) === 1);
  d.send('still here');
  await d.until((text) => text === 'still here');
  own(75);
  const looks = guard.use;
  await until(() => guard.use !== looks && guard.use.own === 75 * MIB);
  t.ok(guard.refusing, 'it is not calm yet');
  own(60);
  await until(() => !guard.refusing);
  t.same(codes(), []);
  const late = await Device.connect(e.port());
  late.send('in');
  await late.until((text) => text === 'in');
  t.equal(guard.counters.close_client, 0);
  for (const { socket } of [d, late]) socket.destroy();
  stranger.destroy();
});

t.test('clients are closed where no script is to blame', async (t) => {
  const { e, guard, own } = await guarded(t);
  const devices: Device[] = [];
  for (let i = 0; i < 3; i++) devices.push(await Device.connect(e.port()));
  await until(() => e.engine.clients.size === 3);
  own(95);
  await until(() => e.engine.clients.size < 3);
  own(50);
  await until(() => devices[2]!.closed);
  t.notOk(devices[0]!.closed, 'the newest goes first');
  t.equal(guard.counters.restart_script, 0);
  t.ok(guard.counters.close_client >= 1);
  for (const { socket } of devices) socket.destroy();
});

t.test('what clients keep goes with them where a restart does not help', async (t) => {
  const { e, guard, own } = await guarded(
    t,
    `protocol = { name = "p", frame = mix.frame.delimiter{ ends = "\\n" }, decode = function(frame, session)
       session.kept = session.kept or {}
       for i = 1, 10000 do session.kept[i] = { i } end
       return { text = frame }
     end }
     function on_message(message, conn) conn:send(message.text) end`,
  );
  const d = await Device.connect(e.port());
  d.send('kept\n');
  await d.until((text) => text === 'kept');
  const { station } = e.engine.servers[0]!;
  // It is to blame by a share of all memory, of which the test says how much there is.
  own(20);
  Object.assign(guard, { max: 20 * MIB });
  await until(() => station.counters.scriptRestarts === 1 && station.reloads.last !== undefined);
  await until(() => d.closed);
  t.equal(station.counters.scriptRestarts, 2);
  t.match(
    e.log.filter(({ message }) => /keeps most/.test(message)).map(({ closed }) => closed),
    [undefined, 1],
  );
  own(1);
  d.socket.destroy();
});

t.test('those for which most waits go first', async (t) => {
  const gone: number[] = [];
  const client = (id: number, pendingBytes: number, closed = false) => ({
    id,
    openedAt: id,
    pendingBytes,
    closed,
    destroy: () => gone.push(id),
  });
  const clients = Array.from({ length: 60 }, (_, id) =>
    client(id, id === 7 ? 9000 : id === 9 ? 90_000 : 100),
  );
  clients.push(client(60, 0, true));
  t.equal(shedClients(new Map(clients.map((one) => [one.id, one])) as never), 3);
  t.same(gone, [9, 7, 59]);
  t.equal(shedClients(new Map()), 0);
});

t.test('what a cgroup allows', async (t) => {
  const root = mkdtempSync(join(tmpdir(), 'moonwire-cgroup-'));
  t.teardown(() => rmSync(root, { recursive: true, force: true }));
  const own = join(root, 'own');
  const folder = join(root, 'system.slice', 'moonwire.service');
  mkdirSync(folder, { recursive: true });
  writeFileSync(own, '0::/system.slice/moonwire.service\n');
  t.equal(cgroupBound(own, root), undefined, 'not bounded');
  writeFileSync(join(folder, 'memory.max'), 'max\n');
  t.equal(cgroupBound(own, root), undefined);
  writeFileSync(join(folder, 'memory.max'), `${200 * MIB}\n`);
  t.equal(cgroupBound(own, root), 180 * MIB);
  writeFileSync(join(root, 'system.slice', 'memory.high'), `${100 * MIB}\n`);
  t.equal(cgroupBound(own, root), 90 * MIB, 'the least around it');
  writeFileSync(own, '4:memory:/old\n');
  t.equal(cgroupBound(own, root), undefined, 'not version 2');
  t.equal(cgroupBound(join(root, 'none'), root), undefined);
});

t.test('what the process has', async (t) => {
  const reader = new MemoryReader();
  const { heap, heapLimit, own, needed } = reader.read();
  t.ok(heap > MIB && heap < heapLimit);
  t.ok(own > heap);
  t.equal(needed, own);
  const collect = collector();
  let kept: Uint8Array[] | undefined = Array.from({ length: 640 }, () => new Uint8Array(100_000).fill(1));
  const full = reader.read();
  t.ok(full.needed > needed + 50 * MIB, `${kept.length} blocks`);
  kept = undefined;
  await until(
    () => {
      collect();
      return reader.read().needed < full.needed - 50 * MIB;
    },
    () => 'what was freed is needed still',
  );
  t.equal(oldSpaceLimit('--max-old-space-size=96 --max-semi-space-size=1'), 96 * MIB);
  t.equal(oldSpaceLimit('--max_old_space_size=96 --max-old-space-size=64'), 64 * MIB, 'the last counts');
  t.equal(oldSpaceLimit('--max-semi-space-size=2') - oldSpaceLimit('--max-semi-space-size=4'), 6 * MIB);
});
