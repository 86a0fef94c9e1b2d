import t from 'tap';
import type { LuaRef } from '../../src/script/executor.js';
import { abuseProtocol } from '../support/abuse.js';
import { hex, splits, unhex } from '../support/framing.js';
import { offlineVm, ProtocolUnderTest } from '../support/protocol.js';
import { random } from '../support/random.js';

const PAYLOADS = ['00', 'c0dbdcdd7e7d5e5d', '616263', '00'.repeat(10), 'ff'.repeat(300)];
const vm = offlineVm();
const made = (source: string) =>
  new ProtocolUnderTest(vm.execute(`return ${source}`, '@test')[0] as LuaRef, undefined, vm);
const kinds: [string, ProtocolUnderTest][] = [
  ['slip', made('require "protocols.slip"')],
  ['cobs', made('require "protocols.cobs"')],
  ['cobs/r', made('require("protocols.cobs").new { reduced = true, max = 1000 }')],
  ['hdlc', made('require "protocols.hdlc"')],
  ['hdlc fcs-32', made('require("protocols.hdlc").new { crc = "CRC-32/ISO-HDLC" }')],
  ['hdlc unchecked', made('require("protocols.hdlc").new {}')],
];

const lua = (digits: string) => `mix.unhex "${digits}"`;

for (const [name, under] of kinds) {
  t.test(`${name}: packets both ways`, async (t) => {
    const rng = random(t);
    const wire = PAYLOADS.map((digits) => under.peer().encode(`{ type = "data", data = ${lua(digits)} }`));
    for (const chunks of splits(unhex(wire.join('')), rng)) {
      const { messages, errors } = under.feed(chunks);
      t.strictSame(
        messages.map(({ data }) =>
          hex(
            Buffer.from(
              data as Uint8Array | string as string,
              typeof data === 'string' ? 'latin1' : undefined,
            ),
          ),
        ),
        PAYLOADS,
      );
      t.strictSame(errors, []);
    }
    t.equal(under.peer().encode(lua('616263')), wire[2]);
    t.equal(under.peer().encode('7'), 'a packet needs its data');
    abuseProtocol(t, under, wire.map(unhex), 150);
  });
}

t.test('hdlc: a damaged packet is dropped and counted, the next one read', async (t) => {
  const [, hdlc] = kinds[3]!;
  const good = hdlc.peer().encode('"abc"');
  const damaged = unhex(good);
  damaged[2]! ^= 1;
  const { messages, reasons } = hdlc.feed([damaged, unhex(good)]);
  t.match(messages, [{ data: 'abc' }]);
  t.strictSame(reasons, ['checksum']);
  // RFC 1662: FCS-16 of "123456789" is 906e, sent low byte first.
  t.equal(hdlc.peer().encode('"123456789"'), '7e3132333435363738396e907e');
});
