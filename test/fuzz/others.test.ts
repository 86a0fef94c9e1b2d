import t from 'tap';
import { withstands } from './short.js';

for (const kind of ['codecs', 'mux', 'config', 'wires', 'api'])
  t.test(`${kind} withstand whatever comes`, (t) => withstands(t, kind, 800));
