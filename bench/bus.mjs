// Polls of 32 Modbus RTU units, 4 of them dead, on one simulated half-duplex line: good polls a second against what
// the line can carry, what dead units cost, how long a command waits, and modbus-serial doing the same polls.
//
//   npm run build && node bench/bus.mjs
//
// The line is a TCP server that takes as long as a serial line would for each byte, units that begin to answer after
// 5 ms, and who speaks while another does is not heard.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import ModbusRTU from 'modbus-serial';
import { parseConfig, silentLogger, startEngine } from '../dist/index.js';

const GOOD = 28;
const DEAD = 4;
const QUANTITY = 10;
const DEVICE_MS = 5;
const TIMEOUT = 0.5;
const REQUEST_BYTES = 8;
const REPLY_BYTES = 5 + 2 * QUANTITY;
/** How long rates are measured; with dead units long enough that each is probed. */
const MEASURED_MS = 10_000;
const PROBED_MS = 55_000;

function crc(bytes) {
  let value = 0xffff;
  for (const byte of bytes) {
    value ^= byte;
    for (let i = 0; i < 8; i++) value = value & 1 ? (value >> 1) ^ 0xa001 : value >> 1;
  }
  return value;
}

function replyOf(unit) {
  const reply = Buffer.alloc(REPLY_BYTES);
  reply.set([unit, 3, 2 * QUANTITY]);
  reply.writeUInt16LE(crc(reply.subarray(0, -2)), REPLY_BYTES - 2);
  return reply;
}

/** Milliseconds of characters and of the silence between frames at a rate. */
function timing(baudRate) {
  const character = 11_000 / baudRate;
  return { character, gap: Math.max(1.75, 3.5 * character) };
}

/** The time of one poll in milliseconds: what cannot be saved. */
function leastTime(baudRate) {
  const { character, gap } = timing(baudRate);
  return (REQUEST_BYTES + REPLY_BYTES) * character + DEVICE_MS + gap;
}

/** Timers are a millisecond coarse: the last of it is waited out turn by turn. */
function at(time, then) {
  const left = time - performance.now();
  if (left > 1.5) setTimeout(at, left - 1.5, time, then);
  else if (left > 0) setImmediate(at, time, then);
  else then();
}

async function startLine(baudRate) {
  const { character } = timing(baudRate);
  const line = { good: 0, dead: 0, collisions: 0 };
  const server = createServer({ noDelay: true }, (socket) => {
    let held = Buffer.alloc(0);
    let busyUntil = 0;
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      held = Buffer.concat([held, bytes]);
      for (; held.length >= REQUEST_BYTES; held = held.subarray(REQUEST_BYTES)) {
        const unit = held[0];
        const now = performance.now();
        if (now < busyUntil) {
          line.collisions++;
          continue;
        }
        const sent = now + REQUEST_BYTES * character;
        busyUntil = sent;
        if (unit > GOOD) {
          line.dead++;
          continue;
        }
        busyUntil = sent + DEVICE_MS + REPLY_BYTES * character;
        at(busyUntil, () => {
          line.good++;
          socket.write(replyOf(unit));
        });
      }
    });
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  line.port = server.address().port;
  line.close = () => server.close();
  return line;
}

const SCRIPT = `
protocol = require "protocols.modbus_rtu"
local function poll(conn, unit)
  local request = { unit = unit, function_code = 3, address = 0, quantity = ${QUANTITY} }
  while true do
    local reply, err = conn:request(request, { priority = "poll" })
    if not reply then
      if err:find("^closed") then return end
      mix.sleep(0.5)
    end
  end
end
function on_connect(id, conn)
  for unit = 1, mix.server.option("units") do mix.after(0, function() poll(conn, unit) end) end
  mix.every(0.3, function()
    local began = mix.monotonic()
    local reply = conn:request({ unit = 1, function_code = 3, address = 0, quantity = ${QUANTITY} },
      { priority = "command" })
    if reply then mix.report("command", { ms = (mix.monotonic() - began) * 1000 }) end
  end)
end`;

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

/** Good polls a second, and the part of the time spent on each dead unit, once `settled` says so. */
async function rate(line, settled, measured = MEASURED_MS) {
  while (!settled()) await pause(50);
  const { good, dead } = line;
  const began = performance.now();
  await pause(measured);
  const seconds = (performance.now() - began) / 1000;
  return { polls: (line.good - good) / seconds, cost: ((line.dead - dead) * TIMEOUT) / seconds / DEAD };
}

async function moonwire(baudRate, units) {
  const line = await startLine(baudRate);
  const folder = mkdtempSync(join(tmpdir(), 'moonwire-bench-'));
  writeFileSync(join(folder, 'main.lua'), SCRIPT);
  const { gap } = timing(baudRate);
  const yaml = `
engine:
  name: bench
  apiServer: { port: 0 }
  links:
    - name: line
      tcp: { host: 127.0.0.1, port: ${line.port} }
      entry: main.lua
      options: { units: ${units} }
      bus: { timeout: ${TIMEOUT}, retries: 0, gap: ${gap / 1000} }
script: { roots: [${folder}, ${resolve('lua')}] }
store: { path: ${folder}/data }
`;
  const { config } = parseConfig(yaml, join(folder, 'bench.yaml'), { cwd: folder });
  const commands = [];
  const gateway = await startEngine(config, silentLogger, {
    report: ({ values }) => void commands.push(values.ms),
  });
  try {
    const bus = () => gateway.engine.buses.all.get('line')?.report();
    const open = () => bus()?.units.filter(({ state }) => state === 'open').length ?? -1;
    const measured = await rate(line, () => open() === units - GOOD, units > GOOD ? PROBED_MS : MEASURED_MS);
    // While the breakers were closed, a command could meet a dead unit's turn.
    const last = commands.slice(-Math.floor(MEASURED_MS / 400)).sort((a, b) => a - b);
    return { ...measured, collisions: line.collisions, last };
  } finally {
    await gateway.stop();
    line.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function modbusSerial(baudRate) {
  const line = await startLine(baudRate);
  const client = new ModbusRTU();
  await client.connectTelnet('127.0.0.1', { port: line.port });
  client.setTimeout(TIMEOUT * 1000);
  const { gap } = timing(baudRate);
  let running = true;
  const loop = (async () => {
    while (running) {
      for (let unit = 1; running && unit <= GOOD + DEAD; unit++) {
        client.setID(unit);
        await client.readHoldingRegisters(0, QUANTITY).catch(() => {});
        await pause(gap);
      }
    }
  })();
  const measured = await rate(line, () => true);
  running = false;
  await loop;
  client.close(() => {});
  line.close();
  return { ...measured, collisions: line.collisions };
}

const percent = (part) => `${(part * 100).toFixed(1)} %`;

for (const baudRate of [9600, 115_200]) {
  const least = leastTime(baudRate);
  const most = 1000 / least;
  const alone = await moonwire(baudRate, GOOD);
  const mixed = await moonwire(baudRate, GOOD + DEAD);
  const other = await modbusSerial(baudRate);
  console.log(
    `${baudRate} Bd: a poll takes ${least.toFixed(1)} ms, the line carries ${most.toFixed(1)} polls/s`,
  );
  console.log(
    `  28 good units        ${alone.polls.toFixed(1)}/s, ${percent(alone.polls / most)} of the line`,
  );
  console.log(
    `  and 4 dead, left alone ${mixed.polls.toFixed(1)}/s, ${percent(mixed.polls / most)}; a dead unit takes ${percent(mixed.cost)} of the time`,
  );
  console.log(
    `  modbus-serial, all 32  ${other.polls.toFixed(1)}/s, ${percent(other.polls / most)}: Moonwire does ${(mixed.polls / other.polls).toFixed(2)} times as many`,
  );
  const [middle, slowest] = [alone.last[alone.last.length >> 1], alone.last.at(-1)].map(
    (ms) => (ms * alone.polls) / 1000 - 1,
  );
  console.log(
    `  a command waits ${middle.toFixed(2)} transactions in the median, ${slowest.toFixed(2)} at most; ${mixed.collisions} collisions`,
  );
}
