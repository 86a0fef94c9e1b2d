/** Engines with TLS servers that tell each client what they know of its connection. */

import type { Test } from 'tap';
import type { Certificates } from './certificates.js';
import { startTestEngine, type TestEngine } from './engine.js';
import type { OpensslClient } from './openssl.js';

/** Answers each line with what it knows of the connection. */
const FACTS = `
protocol = { name = "lines", frame = mix.frame.delimiter{ ends = "\\n" }, decode = function(line) return { line = line } end }
function on_message(msg, conn) conn:send("facts " .. mix.json_encode(conn:tls()) .. "\\n") end`;

export interface Facts {
  version: string;
  cipher: string;
  resumed: boolean;
  servername?: string;
  alpn?: string;
  psk_identity?: string;
  subject?: { CN: string };
  san?: string[];
  fingerprint?: string;
  valid_to?: number;
}

/** An engine with a TLS server for each of these settings. */
export async function startTls(t: Test, ...tls: string[]): Promise<TestEngine> {
  const servers = tls.map(
    (settings, n) => `  - { name: s${n}, port: 0, bind: 127.0.0.1, entry: main.lua, tls: ${settings} }`,
  );
  const test = await startTestEngine({ 'main.lua': FACTS }, `servers:\n${servers.join('\n')}`);
  t.teardown(() => test.stop());
  return test;
}

/** The settings for a certificate, and more. */
export const own = ({ server }: Certificates, more = ''): string =>
  `{ cert: ${server.cert}, key: ${server.key}, ${more} }`;

/** What the server knows of a connection. */
export async function ask(client: OpensslClient, line = 'hello'): Promise<Facts> {
  client.output = '';
  client.send(line);
  const [, json] = await client.until(/facts (\{.*\})/);
  return JSON.parse(json!) as Facts;
}
