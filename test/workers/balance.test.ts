import t from 'tap';
import { balanceBy, type Candidate } from '../../src/workers/balance.js';

const names = ['barn-1', 'barn-2', 'barn-3', 'barn-4'];
const idle: Candidate[] = names.map((name) => ({ name, connections: 0 }));
const addresses = Array.from({ length: 4000 }, (_, i) => `192.0.${i >> 8}.${i & 255}`);

function tally(chosen: readonly Candidate[]): number[] {
  return names.map((name) => chosen.filter((candidate) => candidate.name === name).length);
}

t.test('rr takes turns', async (t) => {
  const choose = balanceBy('rr');
  t.same(tally(addresses.map((address) => choose(idle, address))), [1000, 1000, 1000, 1000]);
});

t.test('random gives each about as many', async (t) => {
  const choose = balanceBy('random');
  for (const count of tally(addresses.map((address) => choose(idle, address)))) {
    // Eleven standard deviations.
    t.ok(count > 700 && count < 1300, `${count} of 4000`);
  }
});

t.test('least takes the one with the fewest connections; equals take turns', async (t) => {
  const choose = balanceBy('least');
  const some = names.map((name, i) => ({ name, connections: [3, 1, 2, 1][i]! }));
  const chosen = Array.from({ length: 100 }, () => choose(some, ''));
  const [none, second, , fourth] = tally(chosen);
  t.equal(none, 0);
  t.equal(second! + fourth!, 100);
  t.ok(second! > 0 && fourth! > 0, `${second} and ${fourth}`);
});

t.test('hash gives an address to the same worker, and each about as many', async (t) => {
  const choose = balanceBy('hash');
  const before = addresses.map((address) => choose(idle, address));
  for (const count of tally(before)) t.ok(count > 700 && count < 1300, `${count} of 4000`);
  t.same(
    addresses.map((address) => choose([...idle].reverse(), address).name),
    before.map(({ name }) => name),
    'whatever the order',
  );
});

t.test('hash: when one is gone, only its addresses move', async (t) => {
  const choose = balanceBy('hash');
  const left = idle.slice(1);
  const of = (candidates: readonly Candidate[]) =>
    addresses.map((address) => choose(candidates, address).name);
  const [before, after] = [of(idle), of(left)];
  const moved = addresses.filter((_, i) => before[i] !== after[i]);
  t.same(
    moved,
    addresses.filter((_, i) => before[i] === 'barn-1'),
  );
  const spread = tally(moved.map((address) => choose(left, address)));
  for (const count of spread.slice(1)) t.ok(count > 150, `${count} of ${moved.length}`);
});
