/** Every threat in SECURITY.md names tests that exist. */

import { existsSync, readFileSync } from 'node:fs';
import t from 'tap';

const NAMED = /`(test\/[^`]+)` “([^”]+)”/g;

t.test('every threat names the tests that cover it', async (t) => {
  const [, threats = ''] = readFileSync('SECURITY.md', 'utf8').split('## Threats');
  const rows = threats
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .slice(2);
  t.ok(rows.length > 20, `${rows.length} threats`);
  for (const row of rows) {
    const named = [...row.matchAll(NAMED)];
    t.not(named.length, 0, row);
    for (const [, file, name] of named) {
      t.ok(existsSync(file!) && readFileSync(file!, 'utf8').includes(name!), `${file}: ${name}`);
    }
  }
});
