// Clients that have shaken hands and say nothing, in a process of their own: `node crowd.mjs PORT COUNT echo|mqtt`. Prints
// a line when all are in; a line of standard input makes each send one message, a line tells that all are answered.
import { createInterface } from 'node:readline';
import { Crowd } from '../echo/clients.mjs';
import { PROTOCOLS } from '../echo/protocols.mjs';

const MESSAGE_BYTES = 21;
const KINDS = { echo: 'TCP', mqtt: 'MQTT, sent back by subscription' };

const [port, count, kind] = process.argv.slice(2);
const crowd = new Crowd(
  Number(port),
  PROTOCOLS.find(({ name }) => name === KINDS[kind]),
);
const tell = (line) => process.stdout.write(`${line}\n`);
await crowd.grow(Number(count));
tell('in');
createInterface({ input: process.stdin })
  .on('line', async () => {
    await crowd.drive(MESSAGE_BYTES, crowd.clients.length);
    tell('answered');
  })
  .on('close', () => process.exit());
