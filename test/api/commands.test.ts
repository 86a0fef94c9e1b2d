import t from 'tap';
import * as v from 'valibot';
import { type CommandInfo, commandInfo } from '../../src/api/command-shapes.js';
import { startBoth } from '../support/both.js';
import { until } from '../support/engine.js';

t.test('commands over HTTP', async (t) => {
  const running = await startBoth(t);
  const { request } = running;
  const give = (device: string, body: object) =>
    request('POST', `/v1/devices/${encodeURIComponent(device)}/commands`, body);

  await t.test('one is given, found, followed and cancelled', async (t) => {
    const answer = await give('odd/one ü', { name: 'n', params: { x: 1 }, ttl: 60, idempotencyKey: 'k' });
    t.equal(answer.status, 202);
    t.ok(v.safeParse(commandInfo, answer.body).success);
    t.equal(answer.headers.get('location'), `/v1/commands/${answer.body.id}`);
    t.match(answer.body, { state: 'queued', device: 'odd/one ü', idempotency_key: 'k', attempts: 0 });
    t.equal(answer.body.expires_at - answer.body.created_at, 60);
    t.same((await request('GET', answer.headers.get('location')!)).body, answer.body);
    const repeated = await give('odd/one ü', { name: 'n', params: { x: 1 }, idempotencyKey: 'k' });
    t.match(repeated, { status: 202, body: { id: answer.body.id } });
    t.match(await give('odd/one ü', { name: 'other', idempotencyKey: 'k' }), {
      status: 409,
      body: { code: 'conflict' },
    });
    const other = (await give('dev-2', { name: 'n' })).body as CommandInfo;
    const cancelled = await request('POST', `/v1/commands/${other.id}/cancel`);
    t.match(cancelled, { status: 200, body: { id: other.id, state: 'cancelled' } });
    t.match(await request('POST', '/v1/commands/none/cancel'), { status: 404 });
    t.match(await request('GET', '/v1/commands/none'), { status: 404, body: { code: 'not_found' } });
    const ids = async (query: string): Promise<string[]> =>
      (await request('GET', `/v1/commands?${query}`)).body.commands.map(({ id }: CommandInfo) => id);
    t.same(await ids(''), [answer.body.id, other.id]);
    t.same(await ids('state=cancelled'), [other.id]);
    t.same(await ids(`device=${encodeURIComponent('odd/one ü')}`), [answer.body.id]);
    const page = (await request('GET', '/v1/commands?limit=1')).body;
    t.match(page, { commands: [{ id: answer.body.id }], next: answer.body.id });
    t.same(await ids(`after=${page.next}`), [other.id]);
    t.match((await request('GET', '/v1/devices/dev-2/commands')).body, { commands: [{ id: other.id }] });
    t.ok(
      running.log.some(({ action, target, outcome }) => {
        return action === 'command' && target === 'device dev-2: n' && outcome === 'done';
      }),
      'it is audited',
    );
  });

  await t.test('what is asked wrongly', async (t) => {
    for (const body of [
      {},
      { name: '' },
      { name: 'n', ttl: 0 },
      { name: 'n', ttl: '1' },
      { name: 'n', idempotent: 'yes' },
      { name: 'n', idempotencyKey: '' },
      { name: 'n'.repeat(65) },
      { name: 'n', params: JSON.parse(`${'['.repeat(40)}${']'.repeat(40)}`) },
    ]) {
      t.match(
        await give('d', body),
        { status: 400, body: { code: 'invalid_argument' } },
        JSON.stringify(body),
      );
    }
    t.equal((await give('d', { name: 'n', params: 'x'.repeat(40_000) })).status, 413);
    t.match(await request('GET', '/v1/commands?state=lost'), { status: 400, body: { where: 'state' } });
    t.match(await running.askEngine('/v1/commands'), { status: 404, body: { detail: /the centre/ } });
  });

  await t.test('changes of state as server-sent events', async (t) => {
    const abort = new AbortController();
    const response = await fetch(`${running.url}/v1/commands/events?device=dev-3`, { signal: abort.signal });
    t.equal(response.headers.get('content-type'), 'text/event-stream');
    const text: string[] = [];
    const reading = (async () => {
      for await (const chunk of response.body!) text.push(Buffer.from(chunk).toString());
    })().catch(() => {});
    await give('dev-2', { name: 'of another device' });
    const { id } = (await give('dev-3', { name: 'echo', params: { deep: [1, 'ü'] } })).body;
    await running.attach('dev-3');
    await until(() => text.join('').includes('"done"'));
    abort.abort();
    await reading;
    const events = text
      .join('')
      .split('\n')
      .filter((line) => line.startsWith('data: '))
      .map((line) => JSON.parse(line.slice(6)));
    t.match(events, [
      { id, state: 'queued' },
      { id, state: 'sent', engine: 'barn' },
      { id, state: 'done' },
    ]);
    t.equal(events.length, 3);
    t.same(events[2].result.deep[1], 'ü');
    t.ok(events.every((event) => v.safeParse(commandInfo, event).success));
  });
});
