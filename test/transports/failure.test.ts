import t from 'tap';
import { MoonwireError } from '../../src/errors.js';
import { formatAddress } from '../../src/transports/address.js';
import { socketError } from '../../src/transports/failure.js';

t.test('addresses in one form', async (t) => {
  t.equal(formatAddress('192.0.2.1', 80), '192.0.2.1:80');
  t.equal(formatAddress('2001:db8::1', 80), '[2001:db8::1]:80');
  t.equal(formatAddress('::ffff:192.0.2.1', 80), '192.0.2.1:80');
  t.equal(formatAddress('::ffff:0:1', 80), '[::ffff:0:1]:80');
  t.equal(formatAddress('plc.example', 502), 'plc.example:502');
  t.equal(formatAddress(undefined, undefined), '');
});

t.test('errors of the system under stable codes', async (t) => {
  const raw = Object.assign(new Error('connect EHOSTUNREACH'), { code: 'EHOSTUNREACH' });
  const known = socketError(raw, 'plc:502');
  t.match(known, {
    code: 'not_connected',
    message: 'plc:502 cannot be reached (EHOSTUNREACH)',
    where: 'plc:502',
  });
  t.equal(known.cause, raw);
  t.match(socketError(new Error('odd'), 'plc:502'), {
    code: 'not_connected',
    message: 'plc:502 failed: odd',
  });
  const ours = new MoonwireError('timeout', 'late');
  t.equal(socketError(ours, 'plc:502'), ours);
});
