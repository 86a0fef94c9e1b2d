import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import {
  defaultCodecs,
  MoonwireError,
  parseConfig,
  silentLogger,
  startEngine,
  version,
} from '../src/index.js';

function folderWith(script: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'moonwire-embed-'));
  writeFileSync(join(folder, 'main.lua'), script);
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const configIn = (folder: string) =>
  parseConfig(
    'engine: { apiServer: { port: 0 }, servers: [{ port: 0, bind: 127.0.0.1, entry: main.lua }] }\nstore: { path: data }',
    join(folder, 'c.yaml'),
    { cwd: folder },
  ).config;

t.test('a program runs gateways with a codec of its own, and they share no state', async (t) => {
  const script = `
    n = (n or 0) + 1
    function init()
      mix.store.set("n", (mix.store.get("n") or 0) + n)
      mix.report("n", { n = mix.store.get("n"), hex = mix.codec.encode("hex", "ff00") == "\\255\\0" }, { durable = true })
    end`;
  const codecs = defaultCodecs();
  codecs.register({
    name: 'hex',
    encode: (v) => Buffer.from(String(v), 'hex'),
    decode: (b) => Buffer.from(b).toString('hex'),
  });
  const reports: unknown[] = [];
  const options = { codecs, report: ({ values }: { values: unknown }) => void reports.push(values) };
  const [one, two] = [folderWith(script), folderWith(script)];
  const cwd = process.cwd();
  t.teardown(() => process.chdir(cwd));
  for (const folder of [one, two, one]) {
    process.chdir(folder);
    const gateway = await startEngine(configIn(folder), silentLogger, options);
    t.ok(gateway.engine.servers[0]!.listener!.port > 0);
    await gateway.stop();
  }
  t.same(reports, [
    { n: 1, hex: true },
    { n: 1, hex: true },
    { n: 2, hex: true },
  ]);
});

t.test('a script that cannot run leaves nothing open', async (t) => {
  const folder = folderWith('error("no")');
  const cwd = process.cwd();
  process.chdir(folder);
  t.teardown(() => process.chdir(cwd));
  await t.rejects(startEngine(configIn(folder), silentLogger), MoonwireError);
  await t.rejects(startEngine(configIn(folder), silentLogger), /main\.lua:1: no/, 'the store is free again');
});

t.test('the version is that of the package', async (t) => {
  t.match(version(), /^\d+\.\d+\.\d+$/);
});
