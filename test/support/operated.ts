/** An engine with an API and a monitor, for the commands that ask it. */

import type { Test } from 'tap';
import { startEngineWithApi } from './api.js';
import { Device } from './engine.js';
import { startMonitor } from './monitor.js';

/** Answers `ok` to each line; `id=x` attaches device x and subscribes to `news`. */
export const LINE_SCRIPT = `
protocol = { frame = mix.frame.delimiter{ ends = "\\n" },
  decode = function(f) return { text = f } end,
  encode = function(m) if type(m) == "table" then return "T:" .. m.type .. "\\n" end return m end }
function on_message(msg, conn)
  if msg.text:sub(1, 3) == "id=" then conn:attach(msg.text:sub(4)) conn:subscribe("news") end
  conn:send("ok\\n")
end`;

/** Starts one; `connect` connects a device that is attached as `id`. */
export async function startOperated(t: Test, access = '{}') {
  const running = await startEngineWithApi(LINE_SCRIPT, {
    access,
    monitor: { health: () => monitor.health(), metrics: () => monitor.metrics() },
  });
  t.teardown(() => running.stop());
  const { engine } = running.test;
  const monitor = startMonitor(t, { engine });
  const at = ['--api', running.api.address];
  const connect = async (id: string) => {
    const device = await Device.connect(running.test.port());
    device.send(`id=${id}\n`);
    await device.until((text) => text === 'ok\n');
    device.received = Buffer.alloc(0);
    return { device, client: String(engine.devices.get(id)!.id) };
  };
  return { at, connect, engine };
}

/** The values of `--json`. */
export const jsonLines = (text: string) =>
  text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
