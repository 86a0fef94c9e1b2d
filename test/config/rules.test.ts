import t from 'tap';
import { ENTRY, load, problemsOf } from './support.js';

const servers = (...lines: string[]): string =>
  `engine:\n  servers:\n${lines.map((line) => `    - { ${ENTRY}, ${line} }\n`).join('')}`;
const links = (...lines: string[]): string =>
  `engine:\n  links:\n${lines.map((line) => `    - { ${ENTRY}, ${line} }\n`).join('')}`;

t.test('ports: one listener each, by transport and address', async (t) => {
  t.match(problemsOf(servers('port: 7000', 'port: 7000, name: b')), [
    /^4:\d+ engine\.servers\[1\]\.port: must differ from engine\.servers\[0\]\.port: both are tcp port 7000/,
  ]);
  t.match(problemsOf(servers('port: 6789')), [/must differ from engine\.apiServer\.port/]);
  t.match(problemsOf(`center: {}\n${servers('port: 6787')}`), [/must differ from center\.apiServer\.port/]);
  t.match(problemsOf(servers('port: 5683, transport: udp', 'port: 5683, protocol: coap, name: b')), [
    /udp port 5683/,
  ]);
  t.same(problemsOf(servers('port: 6787')), [], 'a centre that is not named does not listen');
  t.same(problemsOf(servers('port: 7000', 'port: 7000, transport: udp')), []);
  t.same(problemsOf(servers('port: 0', 'port: 0, name: b')), [], '0 is any free port');
  t.same(
    problemsOf(servers('port: 7000, bind: 127.0.0.1', 'port: 7000, bind: 127.0.0.2, name: b')),
    [],
    'other addresses do not collide',
  );
  t.equal(problemsOf(servers('port: 7000, bind: "::"', 'port: 7000, bind: 127.0.0.2, name: b')).length, 1);
});

t.test('names are unique over servers and links', async (t) => {
  t.match(problemsOf(servers('port: 1, name: a', 'port: 2, name: a')), [
    /engine\.servers\[1\]\.name: must be unique: engine\.servers\[0\] is named a too/,
  ]);
  const derived = 'tcp: { host: h, port: 5 }';
  t.match(problemsOf(links(derived, derived)), [/links\[1\].*: must be unique/]);
  const { config } = load(
    links('serial: { port: /dev/serial/by-id/usb-FTDI_x-if00 }', 'tcp: { host: "::1", port: 502 }'),
  );
  t.same(
    config.engine.links.map((link) => link.name),
    ['serial-usb-FTDI_x-if00', 'tcp--1-502'],
  );
});

t.test('CONNMIX time-outs are limits, and naming both is a problem', async (t) => {
  t.match(problemsOf(servers('port: 1, readTimeout: 5, limits: { idleSeconds: 5 }')), [
    /readTimeout: is the same setting as limits\.idleSeconds/,
  ]);
  t.match(problemsOf(servers('port: 1, writeTimeout: 5, limits: { sendStallSeconds: 5 }')), [
    /sendStallSeconds/,
  ]);
  const { config } = load(servers('port: 1, readTimeout: 5, writeTimeout: 6s, limits: { connections: 3 }'));
  t.match(config.engine.servers[0]?.limits, { idleSeconds: 5, sendStallSeconds: 6, connections: 3 });
});

t.test('a link has exactly one target, and says so beside its other problems', async (t) => {
  t.match(problemsOf(links('name: x')), [
    /links\[0\]: needs exactly one of serial, tcp, udp, websocket and mqtt, has 0/,
  ]);
  t.match(problemsOf(links('serial: { port: a }, udp: { host: h, port: 1 }')), [/has 2/]);
  const both = problemsOf(links('limits: { frameBytes: no }'));
  t.equal(both.length, 2, String(both));
  t.match(problemsOf(links('serial: { port: a }, reconnect: { minSeconds: 9, maxSeconds: 3 }')), [
    /reconnect: needs minSeconds to be at most maxSeconds/,
  ]);
  t.match(problemsOf(links('serial: { port: a, rtscts: true, rts: false }')), [
    /serial: needs rts or rtscts, not both/,
  ]);
  t.match(problemsOf(links('serial: { port: a }, bus: { baudRate: 9600 }')), [
    /bus.baudRate is for converters/,
  ]);
  t.same(problemsOf(links('tcp: { host: a, port: 1 }, bus: { baudRate: 9600 }')), []);
  const { config } = load(links('serial: { port: rs485-1, baudRate: 9600, parity: even }'));
  const link = config.engine.links[0];
  t.equal(link?.kind === 'serial' && link.serial.parity, 'even');
});

t.test('what listens beyond this machine needs a secret, or a word that it is meant', async (t) => {
  const exposed: [string, string, string][] = [
    ['engine: { apiServer: { bind: 0.0.0.0 } }', 'engine.apiServer.bind', 'access.users'],
    ['engine: { meshPoint: { bind: "::" } }', 'engine.meshPoint.bind', 'engine.joinToken'],
    ['center: { registry: { bind: 192.0.2.1 } }', 'center.registry.bind', 'center.joinToken'],
    ['center: { apiServer: { bind: 0.0.0.0 } }', 'center.apiServer.bind', 'access.users'],
  ];
  for (const [text, path, needs] of exposed) {
    const problems = problemsOf(text);
    t.equal(problems.length, 1);
    t.match(problems[0], `${path}: must be a loopback address`);
    t.match(problems[0], needs);
    t.same(problemsOf(`${text}\naccess: { open: true }`), []);
  }
  t.same(problemsOf('engine: { meshPoint: { bind: "::" }, joinToken: secret }'), []);
  t.same(problemsOf('center: { registry: { bind: "::" }, joinToken: secret }'), []);
  t.same(problemsOf('center: { registry: { bind: "::" } }\nengine: { joinToken: secret }'), []);
  t.same(
    problemsOf('engine: { apiServer: { bind: "::" } }\naccess: { users: [{ username: u, password: p }] }'),
    [],
  );
  for (const bind of ['127.0.0.1', '127.5.5.5', '"::1"', 'localhost']) {
    t.same(problemsOf(`engine: { apiServer: { bind: ${bind} } }`), []);
  }
});

t.test('a server speaks what its transport can carry', async (t) => {
  t.match(problemsOf(servers('port: 1, transport: udp, protocol: websocket')), [
    /transport: must be tcp for protocol websocket/,
  ]);
  t.equal(load(servers('port: 1, protocol: coap')).config.engine.servers[0]?.transport, 'udp');
  t.match(problemsOf(servers('port: 1, transport: udp, tls: { cert: support.ts, key: support.ts }')), [
    /tls: needs transport tcp/,
  ]);
  t.match(
    problemsOf(
      servers(
        'port: 1, tls: { cert: support.ts, key: support.ts, minVersion: TLSv1.3, maxVersion: TLSv1.2 }',
      ),
    ),
    [/minVersion: must not be newer than maxVersion/],
  );
  t.match(problemsOf(servers('port: 1, tls: { cert: nope.pem, key: support.ts }')), [
    /tls\.cert: must be a readable file/,
  ]);
  const files = 'cert: support.ts, key: support.ts';
  const tls = (settings: string): string[] => problemsOf(servers(`port: 1, tls: { ${settings} }`));
  for (const [settings, problem] of [
    ['', /tls: needs cert and key, or psk/],
    ['cert: support.ts', /tls: needs cert and key together/],
    [`psk: support.ts, certificates: [{ ${files} }]`, /tls: needs cert and key for all clients whose name/],
    ['psk: support.ts, ocsp: support.ts', /tls: needs cert and key for all/],
    [`${files}, crl: support.ts`, /tls\.crl: needs engine\.servers\[0\]\.tls\.ca/],
    [`${files}, clientCert: optional`, /tls\.clientCert: needs engine\.servers\[0\]\.tls\.ca/],
    [
      `${files}, certificates: [{ cert: support.ts, key: no.key }]`,
      /certificates\[0\]\.key: must be a readable/,
    ],
    [`${files}, minVersion: TLSv1.1`, /minVersion: must be one of TLSv1\.2, TLSv1\.3/],
    [
      `${files}, ticketSeed: too short`,
      /ticketSeed: must be a secret of 16 to 1024 characters, got 9 characters/,
    ],
    [`${files}, ciphers: "a b"`, /ciphers: must be ciphers as OpenSSL names them/],
    [`${files}, alpn: [""]`, /alpn\[0\]: must be the ALPN name of a protocol/],
  ] as const) {
    t.match(tls(settings), [problem], settings);
  }
  const all = 'ca: support.ts, crl: support.ts, ocsp: support.ts, psk: support.ts, alpn: [mqtt]';
  t.same(tls(`${files}, ${all}, clientCert: optional, ticketSeed: a secret of all nodes`), []);
  t.same(tls('psk: support.ts'), []);
  t.match(problemsOf('engine: { apiServer: { tls: {} } }'), [/apiServer\.tls: needs cert and key, or psk/]);
  t.match(problemsOf(links('tcp: { host: h, port: 1, tls: { servername: 192.0.2.1 } }')), [
    /tls\.servername: must be a host name/,
  ]);
  t.match(problemsOf('engine: { centerTls: { cert: support.ts } }'), [
    /centerTls: needs cert and key together/,
  ]);
  t.match(problemsOf('center: { registry: { tls: { cert: nope.pem, key: support.ts } } }'), [
    /registry\.tls\.cert: must be a readable file/,
  ]);
  t.match(problemsOf(links('tcp: { host: h, port: 1, tls: { cert: support.ts } }')), [
    /needs cert and key together/,
  ]);
});

t.test('Redis pools', async (t) => {
  const redis = (...lines: string[]): string =>
    `engine: { luavm: { redis: [${lines.map((line) => `{ ${line} }`).join(', ')}] } }`;
  t.match(problemsOf(redis('name: a', 'name: a')), [/redis\[1\]\.name: must be unique/]);
  t.match(problemsOf(redis('poolSize: 5')), [/poolSize: must be at least minIdleConns, which is 10/]);
  t.match(problemsOf(redis('addr: "no port:"')), [/addr: must be a host and port/]);
});

t.test('no packet of MQTT can be left out', async (t) => {
  const limits = 'limits: { sendOverflow: dropOldest, messageOverflow: drop }';
  t.match(problemsOf(servers(`port: 1883, protocol: mqtt, ${limits}`)), [
    /limits\.sendOverflow: must not be dropOldest for protocol mqtt/,
    /limits\.messageOverflow: must not be drop for protocol mqtt/,
  ]);
  t.same(problemsOf(servers(`port: 1, ${limits}`)), []);
});

t.test('what all servers may take together depends on the heap, unless it is said', async (t) => {
  const { limits } = load('engine: { limits: { connections: 5, pendingBytes: 1MiB } }').config.engine;
  t.match(limits, { connections: 5, pendingBytes: 2 ** 20, acceptsPerSecond: 10_000, lagSeconds: 3 });
  const byHeap = load('engine: {}').config.engine.limits;
  t.ok(byHeap.connections >= 1000 && byHeap.pendingBytes >= 2 ** 22);
});
