// biome-ignore-all format: it is an example of a README, as it stands there
// biome-ignore-all lint: likewise
import { createEngine, lines } from '../../../src/index.js';

const engine = createEngine({
  servers: [{ port: 9000, handlers: {
    parse: lines(),
    onData(client, line) { client.send(`echo ${line}\n`); },
  } }],
});
await engine.start();
process.once('SIGTERM', () => engine.stop());
