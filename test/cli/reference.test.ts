import { readFileSync } from 'node:fs';
import t from 'tap';
import { documented, editorTypes, withReference } from '../../src/cli/reference.js';
import { offlineVm } from '../support/protocol.js';

const README = 'lua/README.md';
const TYPES = 'lua/types/mix.lua';
const entries = documented.flatMap((section) => section.entries);

t.test('every entry has a description and an example that calls it', async (t) => {
  for (const { name, doc, example } of entries) {
    t.ok(doc.length > 20, name);
    t.match(example, name.includes(':') ? `:${name.split(':')[1]!}` : name, `${name} is in its example`);
  }
  t.equal(new Set(entries.map(({ name }) => name)).size, entries.length, 'no name twice');
});

t.test('everything scripts find in mix is documented', async (t) => {
  const vm = offlineVm();
  const [names] = vm.execute(
    `local names = {}
     local function walk(table, prefix)
       for key, value in pairs(table) do
         if type(value) == "table" then walk(value, prefix .. key .. ".") else names[#names + 1] = prefix .. key end
       end
     end
     walk(mix, "mix.")
     return table.concat(names, "\\n")`,
    '=names',
  );
  const known = [
    ...entries.map(({ name }) => name),
    ...documented.flatMap(({ constants = [] }) => constants.map(({ name }) => name)),
  ];
  const found = String(names).split('\n');
  t.ok(found.length > 30);
  t.strictSame(
    found.filter((name) => !known.includes(name)),
    [],
  );
});

t.test('the reference and the editor types are up to date (npm run docs writes them)', async (t) => {
  const readme = readFileSync(README, 'utf8');
  t.equal(withReference(readme), readme, README);
  t.equal(editorTypes(), readFileSync(TYPES, 'utf8'), TYPES);
});

t.test('what differs is noticed, and a README without its markers is refused', async (t) => {
  const readme = readFileSync(README, 'utf8');
  const changed = readme.replace('#### `crc = mix.crc(', '#### `crc = mix.crc2(');
  t.not(changed, readme);
  t.equal(withReference(changed), readme);
  t.throws(() => withReference('# Lua'), /has no lines/);
});

t.test('the editor types are Lua that declares every function', async (t) => {
  const vm = offlineVm();
  t.equal(vm.syntaxProblem(TYPES), undefined);
  vm.load(TYPES);
  for (const { name } of entries.filter((entry) => !entry.name.includes(':'))) {
    t.strictSame(vm.execute(`return type(${name})`, '=types'), ['function'], name);
  }
});
