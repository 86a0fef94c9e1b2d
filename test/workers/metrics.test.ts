import t from 'tap';
import { joinMetrics } from '../../src/workers/metrics.js';

const OWN = `# HELP moonwire_clients Clients connected now.
# TYPE moonwire_clients gauge
# HELP moonwire_ready Whether it can serve.
# TYPE moonwire_ready gauge
moonwire_ready 1
`;
const WORKER = `# HELP moonwire_clients Clients connected now.
# TYPE moonwire_clients gauge
moonwire_clients{server="s"} 3
# HELP moonwire_lua_x Set by a script.
# TYPE moonwire_lua_x counter
moonwire_lua_x{worker="own",text="a,worker=\\"b"} 1
moonwire_lua_x 2
`;

t.test('each family stands once, and samples of workers say whose they are', async (t) => {
  const joined = joinMetrics(OWN, [
    { worker: 'barn-1', text: WORKER },
    {
      worker: 'barn-2',
      text: '# HELP moonwire_ready Whether it can serve.\n# TYPE moonwire_ready gauge\nmoonwire_ready 0\n',
    },
  ]);
  t.equal(
    joined,
    `# HELP moonwire_clients Clients connected now.
# TYPE moonwire_clients gauge
moonwire_clients{worker="barn-1",server="s"} 3
# HELP moonwire_ready Whether it can serve.
# TYPE moonwire_ready gauge
moonwire_ready 1
moonwire_ready{worker="barn-2"} 0
# HELP moonwire_lua_x Set by a script.
# TYPE moonwire_lua_x counter
moonwire_lua_x{worker="barn-1",exported_worker="own",text="a,worker=\\"b"} 1
moonwire_lua_x{worker="barn-1"} 2
`,
  );
});

t.test('nothing joined is nothing', async (t) => {
  t.equal(joinMetrics('', []), '');
});
