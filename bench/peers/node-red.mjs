// Node-RED without its editor, running one flow: tcp in → function → tcp out. The function is that of protocols.mjs.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ServerProcess } from '../support/server.mjs';

const PROTOCOLS = readFileSync(new URL('protocols.mjs', import.meta.url), 'utf8').replaceAll(
  /^export /gm,
  '',
);

/** Runs once, when the flow starts. */
const onStart = (work) => `${PROTOCOLS}
context.set('protocol', PROTOCOLS.${work});
context.set('held', new Map());`;

/** Runs for each packet: tcp in hands packets over as they come. */
const ON_MESSAGE = `
const { length, decode, reply } = context.get('protocol');
const held = context.get('held');
const session = msg._session.id;
const before = held.get(session);
let rest = before ? Buffer.concat([before, msg.payload]) : msg.payload;
const replies = [];
while (rest.length > 0) {
  const whole = length(rest);
  if (whole === 0) break;
  if (whole > 0) {
    const message = decode(rest.subarray(0, whole));
    if (message) replies.push(reply(message));
  }
  rest = rest.subarray(whole > 0 ? whole : 1);
}
if (rest.length > 0) held.set(session, rest);
else if (before) held.delete(session);
if (replies.length === 0) return null;
msg.payload = replies.length === 1 ? replies[0] : Buffer.concat(replies);
return msg;`;

function flow(work, port) {
  const id = () => randomBytes(8).toString('hex');
  const [tab, input, handler, output] = [id(), id(), id(), id()];
  const place = { z: tab, x: 100, y: 100 };
  return [
    { id: tab, type: 'tab', label: 'bench' },
    {
      ...{ id: input, type: 'tcp in', ...place, wires: [[handler]] },
      ...{ server: 'server', port: String(port), datamode: 'stream', datatype: 'buffer', newline: '' },
    },
    {
      ...{ id: handler, type: 'function', ...place, wires: [[output]] },
      ...{
        func: ON_MESSAGE,
        initialize: onStart(work),
        finalize: '',
        outputs: 1,
        timeout: 0,
        noerr: 0,
        libs: [],
      },
    },
    { id: output, type: 'tcp out', ...place, beserver: 'reply', base64: false, end: false, wires: [] },
  ];
}

/** Starts it from where it was installed; `port`: a free one, on all addresses, since tcp in knows no other way. */
export function startNodeRed(folder, work, port) {
  const user = mkdtempSync(join(tmpdir(), 'moonwire-bench-'));
  const [settings, flows] = [join(user, 'settings.cjs'), join(user, 'flows.json')];
  const options = {
    httpAdminRoot: false,
    httpNodeRoot: false,
    credentialSecret: false,
    diagnostics: { enabled: false },
    telemetry: { enabled: false },
    logging: { console: { level: 'info', metrics: false, audit: false } },
  };
  writeFileSync(settings, `module.exports = ${JSON.stringify(options)};`);
  writeFileSync(flows, JSON.stringify(flow(work, port)));
  const program = join(folder, 'node_modules/node-red/red.js');
  return new ServerProcess([program, '-s', settings, '-u', user, flows], () =>
    rmSync(user, { recursive: true, force: true }),
  ).ready();
}
