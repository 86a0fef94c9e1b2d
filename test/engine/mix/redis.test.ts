import { createServer, type Socket } from 'node:net';
import t from 'tap';
import { until } from '../../support/engine.js';
import { missing } from '../../support/need.js';
import { TestRedis } from '../../support/redis.js';
import { type RunLua, startLua } from '../../support/run-lua.js';

const skip = missing('redis-server', 'redis-server');

/** YAML of `engine.luavm` with one server on that port, to which only needed connections are opened. */
const luavm = (port: number, more = '') =>
  `{ redis: [{ addr: "127.0.0.1:${port}", minIdleConns: 0${more} }] }`;

/** Runs Lua in which `redis` is the server. */
const withRedis = (run: RunLua) => (source: string) =>
  run(`local redis = assert(mix.redis.connection("default")) ${source}`);

t.test('commands and every kind of value', { skip }, async (t) => {
  const server = await TestRedis.start(t);
  const { run: runLua, engine } = await startLua(t, luavm(server.port));
  const run = withRedis(runLua);
  t.same(await run('return redis:command("SET", "k", "v")'), ['OK']);
  t.same(await run('return redis:command("get", "k")'), ['v']);
  t.same(await run('return redis:command("GET", "absent")'), [undefined], 'null is nil, without an error');
  t.same(await run('return redis:command("INCRBY", "n", 41), redis:command("INCR", "n")'), [41, 42]);
  t.same(await run('return redis:command("INCRBY", "n", "9007199254740000")'), ['9007199254740042']);
  t.same(await run('return math.type(redis:command("DECRBY", "n", "9007199254740000"))'), ['integer']);
  t.same(
    await run(`
      local all = {}
      for i = 0, 255 do all[#all + 1] = string.char(i) end
      local bytes = table.concat(all) .. "\\r\\n$5\\r\\n"
      redis:command("SET", bytes, bytes)
      return redis:command("GET", bytes) == bytes, redis:command("STRLEN", bytes) == #bytes`),
    [true, true],
  );
  t.same(
    await run(`
      redis:command("RPUSH", "list", 1, 2.5, true, false, "", 1e15)
      return redis:command("LRANGE", "list", 0, -1)`),
    [['1', '2.5', '1', '0', '', '1000000000000000']],
  );
  t.same(await run('return redis:command("LRANGE", "absent", 0, -1)'), [[]]);
  t.same(
    await run('redis:command("HSET", "h", "a", 1, "b", 2) return redis:command("HGETALL", "h")'),
    [['a', '1', 'b', '2']],
    'as version 2 of the protocol has it',
  );
  t.same(await run('return redis:command("MGET", "k", "absent", "k")[3]'), ['v'], 'null leaves a hole');
  t.same(await run(`return redis:command("EVAL", "return {1, {'x', {err='ERR inside'}}, false}", 0)`), [
    [1, ['x', { err: 'ERR inside' }]],
  ]);
  t.same(
    await run(`
      local big = string.rep("x", 1024 * 1024)
      redis:command("SET", "big", big)
      return redis:command("GET", "big") == big`),
    [true],
  );
  t.equal(engine.services.redis.get('default')!.connections, 1, 'one after the other needs one connection');
});

t.test('failures are values, misuse raises', { skip }, async (t) => {
  const server = await TestRedis.start(t);
  const { run: runLua, engine } = await startLua(t, luavm(server.port));
  const run = withRedis(runLua);
  t.match(await run('redis:command("SET", "k", "v") return redis:command("INCR", "k")'), [
    undefined,
    /^redis: ERR value is not an integer/,
  ]);
  t.match(await run('return redis:command("LPUSH", "k", "v")'), [undefined, /^redis: WRONGTYPE /]);
  t.match(await run('return redis:command("NOSUCH")'), [undefined, /^redis: ERR unknown command/]);
  t.match(await run('return redis:command("")'), [undefined, /^redis: ERR/]);
  for (const command of [
    '"subscribe", "x"',
    '"MULTI"',
    '"Select", 1',
    '"CLIENT", "reply", "off"',
    '"QUIT"',
  ]) {
    t.match(await run(`return redis:command(${command})`), [undefined, /^invalid_argument: .* share a pool/]);
  }
  t.match(await run('return redis:command("SET", "k", {})').catch((error) => [error.message]), [
    /bad argument #3 to 'redis:command' \(string, number or boolean expected\)/,
  ]);
  await t.rejects(run('redis:command("SET", "k", nil)'), { message: /bad argument #3/ });
  await t.rejects(run('redis:command()'), { message: /bad argument #1/ });
  await t.rejects(run('redis.command("GET", "k")'), { message: /with a colon/ });
  t.same(await runLua('return mix.redis.connection("other")'), [
    undefined,
    'not_found: engine.luavm.redis has no server named other',
  ]);
  t.match(
    await run(`
      local piece, args = string.rep("x", 1024 * 1024), {}
      for i = 1, 8 do args[i] = piece end
      return redis:command("DEL", table.unpack(args))`),
    [undefined, /^too_large: a command has at most/],
  );
  // The connection stays in step after a reply that is refused.
  t.match(
    await run(`
      redis:command("SETRANGE", "huge", 5000000, "x")
      return redis:command("GET", "huge")`),
    [undefined, /^too_large: the reply has more than 1048576 bytes in a string/],
  );
  t.same(await run('return redis:command("PING")'), ['PONG']);
  t.match(engine.services.redis.get('default')!.counters, { failed: 1, refused: 0 });
});

t.test('passwords and databases', { skip }, async (t) => {
  const server = await TestRedis.start(t, '--requirepass', 'right secret');
  const entries = [
    `{ name: right, addr: "127.0.0.1:${server.port}", password: right secret, db: 3 }`,
    `{ name: zero, addr: "127.0.0.1:${server.port}", password: right secret }`,
    `{ name: wrong, addr: "127.0.0.1:${server.port}", password: wrong secret }`,
    `{ name: none, addr: "127.0.0.1:${server.port}" }`,
    `{ name: db, addr: "127.0.0.1:${server.port}", password: right secret, db: 99 }`,
  ];
  const { run, engine } = await startLua(t, `{ redis: [${entries.join(', ')}] }`);
  const command = (name: string, rest: string) =>
    run(`return assert(mix.redis.connection("${name}")):command(${rest})`);
  t.same(await command('right', '"SET", "k", "v"'), ['OK']);
  t.same(await command('zero', '"GET", "k"'), [undefined]);
  t.same(await command('right', '"GET", "k"'), ['v']);
  t.match(await command('none', '"GET", "k"'), [undefined, /^redis: NOAUTH /]);
  for (const [name, expected] of [
    ['wrong', /^redis: WRONGPASS /],
    ['db', /^redis: ERR DB index is out of range/],
  ] as const) {
    for (let i = 0; i < 3; i++) {
      const [reply, error] = await command(name, '"GET", "k"');
      t.equal(reply, undefined);
      t.match(error, expected);
      t.notMatch(error, /secret/);
    }
    t.equal(engine.services.redis.get(name)!.connections, 0, 'a refused login leaves no connection open');
  }
});

t.test('a server that is killed, and comes back', { skip }, async (t) => {
  const server = await TestRedis.start(t);
  const { run: runLua, engine } = await startLua(t, luavm(server.port));
  const run = withRedis(runLua);
  const pool = engine.services.redis.get('default')!;
  t.same(await run('return redis:command("PING")'), ['PONG']);
  const blocked = run('return redis:command("BLPOP", "list", 0)');
  await until(() => pool.connections === 1 && pool.idleConnections === 0);
  await run('return redis:command("PING")');
  await server.stop();
  t.match(await blocked, [undefined, /^not_connected: 127\.0\.0\.1:\d+ /]);
  await until(() => pool.connections === 0);
  for (let i = 0; i < 50; i++) {
    t.match(await run('return redis:command("PING")'), [
      undefined,
      /^not_connected: .* refused the connection/,
    ]);
  }
  t.equal(pool.waiting, 0);
  await server.start();
  t.same(await run('return redis:command("PING")'), ['PONG'], 'the next command connects again');
});

t.test('a command that blocks holds up its handler only', { skip }, async (t) => {
  const server = await TestRedis.start(t);
  const { run: runLua, engine } = await startLua(t, luavm(server.port, ', poolSize: 3'));
  const run = withRedis(runLua);
  const pool = engine.services.redis.get('default')!;
  const blocked = [1, 2].map(() => run('return redis:command("BLPOP", "list", 0)'));
  await until(() => pool.connections === 2);
  t.same(
    await Promise.all(Array.from({ length: 20 }, () => run('return redis:command("INCR", "n")'))),
    Array.from({ length: 20 }, (_, i) => [i + 1]),
    'others share what is left of the pool, in their order',
  );
  t.equal(pool.connections, 3, 'never more than poolSize');
  t.same(await run('return redis:command("RPUSH", "list", "a", "b")'), [2]);
  t.same((await Promise.all(blocked)).flat().sort(), [
    ['list', 'a'],
    ['list', 'b'],
  ]);
  t.same(await run('return redis:command("BLPOP", "list", 0.05)'), [undefined], 'and it may say how long');
});

t.test('a peer that is no Redis', async (t) => {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket.on('error', () => {}));
    socket.once('data', () => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port } = server.address() as { port: number };
  const { run } = await startLua(t, luavm(port));
  t.match(await withRedis(run)('return redis:command("PING")'), [undefined, /^decode_error: /]);
});

t.test('a handler that waits when the engine stops does not go on', { skip }, async (t) => {
  const server = await TestRedis.start(t);
  const { run: runLua, engine } = await startLua(t, luavm(server.port, ', poolSize: 1'));
  const run = withRedis(runLua);
  const pool = engine.services.redis.get('default')!;
  let ended = 0;
  for (let i = 0; i < 2; i++) void run('return redis:command("BLPOP", "list", 0)').finally(() => ended++);
  await until(() => pool.connections === 1 && pool.waiting === 1);
  engine.services.close();
  await until(() => pool.connections === 0);
  await new Promise((resolve) => setTimeout(resolve, 20));
  t.equal(ended, 0);
});
