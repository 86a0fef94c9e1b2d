import t from 'tap';
import { luaApi } from '../../src/engine/mix/index.js';
import { Device, startWithScript, until } from '../support/engine.js';
import { literal } from '../support/mix.js';

const entries = luaApi.flatMap((section) => section.entries);

/** Runs the n-th example where it may be called: for a new client, first on `buf`, else in `on_message`. */
const SCRIPT = `
local examples = { ${entries.map(({ example }) => literal(Buffer.from(example))).join(', ')} }

local function run(index, buf, conn)
  local msg = { device_id = "tracker-1" }
  local define = assert(load("local buf, conn, msg = ...\\n" .. examples[index], "=example"))
  define(buf, conn, msg)
end

function on_connect(client_id, conn) conn:set_context_value("user", "ann") end

function protocol_input(buf, conn)
  local line = buf:tostring()
  if line:sub(-1) ~= "\\n" then return 0 end
  if line:match("^buf") then
    local index = tonumber(line:match("%d+"))
    run(index, buf, conn)
    print("ran " .. index)
  end
  return #line
end

function on_message(line, conn)
  if line:match("^buf") then return end
  local index = tonumber(line:match("%d+"))
  run(index, nil, conn)
  print("ran " .. index)
end
`;

t.test('every example of the API runs in an engine', async (t) => {
  const engine = await startWithScript(SCRIPT);
  t.teardown(engine.stop);
  for (const [i, { name }] of entries.entries()) {
    const device = await Device.connect(engine.port());
    device.send(`${name.startsWith('buffer:') ? 'buf' : 'msg'} ${i + 1}\n`);
    const ran = () => engine.log.some(({ message }) => message === `ran ${i + 1}`);
    const failed = () => engine.log.find(({ level }) => level === 'error');
    await until(() => ran() || failed() !== undefined || device.closed);
    t.ok(ran(), name, { log: failed() });
    device.socket.destroy();
  }
});
