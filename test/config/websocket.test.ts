import t from 'tap';
import { ENTRY, load, problemsOf } from './support.js';

const server = (settings: string): string =>
  `engine:\n  servers:\n    - { ${ENTRY}, port: 7000, ${settings} }\n`;

t.test('settings of WebSockets stand where WebSockets are spoken', async (t) => {
  const needs = /websocket: needs protocol websocket or auto, or transport ws/;
  t.match(problemsOf(server('websocket: { path: /x }')), [needs]);
  t.match(problemsOf(server('websocket: { compression: true }')), [needs]);
  t.same(problemsOf(server('websocket: {}')), []);
  t.same(problemsOf(server('protocol: websocket, websocket: { path: /x }')), []);
  t.same(problemsOf(server('transport: ws, websocket: { subprotocols: [a, b] }')), []);
  t.same(problemsOf(server('protocol: auto, websocket: { path: /x }')), []);
  t.match(problemsOf(server('protocol: http, websocket: { path: /x }')), [needs]);
  t.match(problemsOf(server('transport: ws, protocol: http')), [/must not be ws for protocol http/]);
  t.match(problemsOf(server('transport: udp, protocol: auto')), [/must be tcp for protocol auto/]);
  t.match(problemsOf(server('transport: ws, protocol: coap')), [/must not be ws for protocol coap/]);
  t.match(problemsOf(server('transport: udp, protocol: websocket')), [/must be tcp for protocol websocket/]);
});

t.test('pings come before a client counts as idle', async (t) => {
  const pings = (settings: string) => problemsOf(server(`protocol: websocket, ${settings}`));
  t.match(pings('websocket: { pingSeconds: 60 }'), [/must be less than limits\.idleSeconds, which is 60 s/]);
  t.same(pings('websocket: { pingSeconds: 59 }'), []);
  t.same(pings('websocket: { pingSeconds: 0 }'), []);
  t.same(pings('websocket: { pingSeconds: 5m }, limits: { idleSeconds: 0 }'), []);
});

t.test('defaults, and the name', async (t) => {
  const { config } = load(server('transport: ws'));
  t.match(config.engine.servers[0], {
    name: 'ws-7000',
    transport: 'ws',
    protocol: 'socket',
    websocket: { compression: false, path: undefined, origins: undefined },
  });
});

t.test('a simulated device does not speak WebSocket', async (t) => {
  const text = `${server('name: w, protocol: websocket')}dev:\n  simulate: [{ name: d, server: w, hex: ["00"] }]\n`;
  t.ok(
    problemsOf(text).some((problem) => /simulate\[0\]\.server: must not be a WebSocket server/.test(problem)),
  );
});
