import { existsSync, readdirSync, readFileSync } from 'node:fs';
import t from 'tap';
import { compiledVm } from '../../support/compiled.js';
import { type Outcome, offlineVm, ProtocolUnderTest } from '../../support/protocol.js';
import { random } from '../../support/random.js';
import { mutate } from '../../support/vectors.js';

/** Mutated frames for each module, others in each run. */
const MUTATED = process.env.CI === 'true' ? 300 : 150;

const modules = readdirSync('lua/protocols')
  .filter((file) => file.endsWith('.lua') && !file.endsWith('_test.lua'))
  .map((file) => file.slice(0, -'.lua'.length));

/** Everything in a vector file that is bytes. */
function bytesIn(value: unknown, found: Map<string, Uint8Array>): void {
  if (typeof value === 'string') {
    if (/^(?:[0-9a-f]{2}){3,}$/i.test(value)) found.set(value, new Uint8Array(Buffer.from(value, 'hex')));
    else if (/^[!$#*+@/[(]/.test(value))
      found.set(value, new Uint8Array(Buffer.from(`${value}\r\n`, 'latin1')));
  } else if (typeof value === 'object' && value !== null) {
    for (const item of Object.values(value)) bytesIn(item, found);
  }
}

function inputs(module: string): Uint8Array[] {
  const names = [module, module.replace(/_.*/, ''), 'framing'];
  const file = names.map((name) => `test/vectors/${name}.json`).find((path) => existsSync(path))!;
  const found = new Map<string, Uint8Array>();
  bytesIn((JSON.parse(readFileSync(file, 'utf8')) as { cases: unknown }).cases, found);
  return [...found.values()];
}

/** What a module does with bytes, raised errors included. */
function outcome(under: ProtocolUnderTest, bytes: Uint8Array): unknown {
  const attempt = (work: () => Outcome): unknown => {
    try {
      return work();
    } catch (error) {
      return String(error);
    }
  };
  return [attempt(() => under.feed([bytes, null])), attempt(() => under.peer().decode(bytes))];
}

t.test('all protocols compile, and do with every frame what they do in Fengari', async (t) => {
  const rng = random(t);
  let messages = 0;
  for (const module of modules) {
    const interpreting = offlineVm();
    const compiling = compiledVm();
    const parts = [undefined, 'server', 'client', 'monitor'].filter((part) => {
      const table = interpreting.require(`protocols.${module}`);
      return part === undefined || interpreting.type(interpreting.field(table, part)) === 'table';
    });
    for (const part of parts) {
      const slow = new ProtocolUnderTest(`protocols.${module}`, part, interpreting);
      const fast = new ProtocolUnderTest(`protocols.${module}`, part, compiling);
      if (!slow.protocol.decodes) continue;

      const good = inputs(module);
      let different = 0;
      const compare = (bytes: Uint8Array) => {
        let [wanted, found] = [outcome(slow, bytes), outcome(fast, bytes)];
        // Some acknowledgements carry the time.
        if (JSON.stringify(wanted) !== JSON.stringify(found)) {
          [wanted, found] = [outcome(slow, bytes), outcome(fast, bytes)];
        }
        messages += JSON.stringify(wanted).split('"type"').length - 1;
        if (JSON.stringify(wanted) === JSON.stringify(found) || ++different > 3) return;
        t.strictSame(found, wanted, `${module} ${part ?? ''}: ${Buffer.from(bytes).toString('hex')}`);
      };
      good.forEach(compare);
      for (let n = 0; n < MUTATED; n++) compare(mutate(rng.pick(good), rng));
      t.equal(different, 0, `${module} ${part ?? ''}: ${good.length} vectors`);
    }
  }
  t.ok(messages > 1000, `${messages} messages`);
});
