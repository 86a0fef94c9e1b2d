import t from 'tap';
import { startEngineWithApi } from '../support/api.js';
import { Device, until } from '../support/engine.js';

const LINES = `
function on_connect(id, conn) conn:send(id .. "\\n") end
function protocol_input(buf) return buf:tostring():find("\\n", 1, true) or 0 end
function protocol_decode(line) return { text = line:sub(1, -2) } end
function on_message(message, conn) conn:send("echo\\n") end
`;

/** Reads server-sent events until the stream ends. */
async function* eventsOf(response: Response): AsyncGenerator<{ event: string; data: string }> {
  let text = '';
  const decoder = new TextDecoder();
  for await (const chunk of response.body!) {
    text += decoder.decode(chunk as Uint8Array, { stream: true });
    const blocks = text.split('\n\n');
    text = blocks.pop()!;
    for (const block of blocks) {
      const line = (name: string) =>
        block
          .split('\n')
          .find((found) => found.startsWith(`${name}: `))
          ?.slice(name.length + 2);
      const data = line('data');
      if (data !== undefined) yield { event: line('event') ?? 'message', data };
    }
  }
}

t.test('a trace tells what happens until the client is gone', async (t) => {
  const api = await startEngineWithApi(LINES);
  t.teardown(api.stop);
  const device = await Device.connect(api.test.port());
  await until(() => device.text.includes('\n'));
  const id = device.text.trim();
  const response = await fetch(`${api.url}/v1/clients/${id}/trace`);
  t.equal(response.headers.get('content-type'), 'text/event-stream');
  device.send('hi\n');
  await device.until((text) => text.endsWith('echo\n'));
  device.socket.end();
  const events = [];
  for await (const event of eventsOf(response)) events.push(event);
  t.equal(events.at(-1)?.event, 'end');
  t.match(
    events.slice(0, -1).map(({ data }) => JSON.parse(data)),
    [
      { client: id, event: 'in', hex: '68690a' },
      { client: id, event: 'message', message: { text: 'hi' } },
      { client: id, event: 'out', hex: '6563686f0a' },
      { client: id, event: 'close' },
    ],
  );
});

t.test('a reader that leaves ends its trace', async (t) => {
  const api = await startEngineWithApi(LINES);
  t.teardown(api.stop);
  const device = await Device.connect(api.test.port());
  await until(() => device.text.includes('\n'));
  const id = Number(device.text);
  const client = api.test.engine.client(id)!;
  const abort = new AbortController();
  await fetch(`${api.url}/v1/clients/${id}/trace`, { signal: abort.signal });
  t.equal(client.tracers?.size, 1);
  abort.abort();
  await until(() => client.tracers === undefined);
  t.match(await api.request('GET', '/v1/clients/99/trace'), { status: 404, body: { code: 'not_found' } });
});

t.test('a reader that takes nothing is closed', async (t) => {
  const api = await startEngineWithApi(LINES, { apiServer: '{ port: 0, writeTimeout: 1s }' });
  t.teardown(api.stop);
  const device = await Device.connect(api.test.port());
  await until(() => device.text.includes('\n'));
  const client = api.test.engine.client(Number(device.text))!;
  const abort = new AbortController();
  t.teardown(() => abort.abort());
  await fetch(`${api.url}/v1/clients/${client.id}/trace`, { signal: abort.signal });
  const hex = 'ab'.repeat(50_000);
  // Each write would keep the socket's own timeout from ever coming.
  await until(() => {
    client.trace({ event: 'in', hex });
    return client.tracers === undefined;
  });
});

t.test(
  'a reader that does not keep up is told how much it lost, and closed by the API at its end',
  async (t) => {
    const api = await startEngineWithApi(LINES);
    const device = await Device.connect(api.test.port());
    await until(() => device.text.includes('\n'));
    const client = api.test.engine.client(Number(device.text))!;
    const response = await fetch(`${api.url}/v1/clients/${client.id}/trace`);
    const hex = 'ab'.repeat(50_000);
    for (let i = 0; i < 300; i++) {
      client.trace({ event: 'in', hex });
      if (i % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    const events = eventsOf(response);
    let lost = 0;
    let seen = 0;
    const ticks = setInterval(() => client.trace({ event: 'in', hex: '00' }), 5);
    for await (const { event, data } of events) {
      if (event === 'lost') lost += JSON.parse(data).events;
      else seen++;
      if (data.includes('"00"')) break;
    }
    clearInterval(ticks);
    t.ok(lost > 0 && seen > 0, `saw ${seen}, lost ${lost}`);
    await api.stop();
    t.equal(client.tracers, undefined);
  },
);
