/** Found by the campaign in test/soak: a client that leaves while handles are sent ahead ended the whole restart. */

import t from 'tap';
import { EngineEstate } from '../../src/engine/handover/engine-estate.js';
import { type Handle, isOpen } from '../../src/transports/handles.js';
import { Device, startWithScript, until } from '../support/engine.js';

t.test('a client that leaves while handles are sent ahead costs only itself', async (t) => {
  const test = await startWithScript('function protocol_input(buf) return #buf:tostring() end');
  t.teardown(() => test.stop());
  const devices = await Promise.all([1, 2, 3].map(() => Device.connect(test.port())));
  t.teardown(() => {
    for (const { socket } of devices) socket.destroy();
  });
  await until(() => test.engine.clients.size === 3);
  const estate = new EngineEstate(test.engine, { suspend: async () => {}, resume: async () => {} });

  let left: Handle | undefined;
  const sent: string[] = [];
  await estate.ahead(async (name, handle) => {
    if (handle === left) {
      // What Node says of a handle that is closed.
      t.notOk(isOpen(handle));
      throw new Error('write EINVAL');
    }
    sent.push(name);
    if (sent.length > 1) return;
    const last = [...test.engine.clients.values()].at(-1)!;
    left = last.connection.passage?.()?.handle;
    last.connection.destroy();
    await until(() => !isOpen(left!));
  });
  t.equal(sent.length, 3, 'the server and the two that stayed');

  await t.rejects(
    new EngineEstate(test.engine, { suspend: async () => {}, resume: async () => {} }).ahead(async () => {
      throw new Error('the other process is gone');
    }),
    /gone/,
    'of a handle that is open every failure counts',
  );
});
