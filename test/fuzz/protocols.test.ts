import t from 'tap';
import { withstands } from './short.js';

t.test('protocols withstand whatever comes', (t) => withstands(t, 'protocols', 3000));
