// Polls of 32 Modbus RTU units, 4 of them dead, on one simulated half-duplex line: good polls a second against what
// the line can carry, what dead units cost, how long a command waits, and modbus-serial doing the same polls.
//
// The line is a TCP server that takes as long as a serial line would for each byte, units that begin to answer after
// 5 ms, and who speaks while another does is not heard.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import ModbusRTU from 'modbus-serial';
import { parseConfig, silentLogger, startEngine } from '../dist/index.js';
import { median, pause } from './support/statistics.mjs';

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
    conn:request({ unit = 1, function_code = 3, address = 0, quantity = ${QUANTITY} },
      { priority = "command" })
  end)
end`;

/** Good polls a second, and the part of the time spent on each dead unit, once `settled` says so. */
async function rate(line, settled, measured = MEASURED_MS) {
  while (!settled()) await pause(50);
  const { good, dead } = line;
  const began = performance.now();
  await pause(measured);
  const seconds = (performance.now() - began) / 1000;
  return { polls: (line.good - good) / seconds, cost: ((line.dead - dead) * TIMEOUT) / seconds / DEAD };
}

/** Notes of each command how long it took, and how many other requests began while it waited. */
function watchCommands(bus) {
  const commands = [];
  const request = bus.request.bind(bus);
  bus.request = async (port, data, options) => {
    if (options.priority !== 'command') return request(port, data, options);
    const [began, before] = [performance.now(), bus.counters.requests];
    const reply = await request(port, data, options);
    // One of them is the command itself.
    commands.push({ ms: performance.now() - began, overtaken: bus.counters.requests - before - 1 });
    return reply;
  };
  return commands;
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
  const gateway = await startEngine(config, silentLogger);
  const bus = gateway.engine.buses.all.get('line');
  const commands = watchCommands(bus);
  try {
    const open = () => bus.report().units.filter(({ state }) => state === 'open').length;
    const measured = await rate(line, () => open() === units - GOOD, units > GOOD ? PROBED_MS : MEASURED_MS);
    // While the breakers were closed, a command could meet a dead unit's turn.
    const last = commands.slice(-Math.floor(MEASURED_MS / 400));
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

/** Rows of the table; `note` is told what is being measured. */
export async function busRows(note) {
  const rows = [];
  for (const baudRate of [9600, 115_200]) rows.push(...(await rowsAt(baudRate, note)));
  return rows;
}

async function rowsAt(baudRate, note) {
  const most = 1000 / leastTime(baudRate);
  note(`Bus at ${baudRate} Bd: 28 units`);
  const alone = await moonwire(baudRate, GOOD);
  note(`Bus at ${baudRate} Bd: 28 units and 4 dead ones`);
  const mixed = await moonwire(baudRate, GOOD + DEAD);
  note(`Bus at ${baudRate} Bd: modbus-serial`);
  const other = await modbusSerial(baudRate);
  const times = alone.last.map(({ ms }) => (ms * alone.polls) / 1000 - 1);
  const overtaken = Math.max(...alone.last.map((command) => command.overtaken));
  const rate = ({ polls }) => `${polls.toFixed(1)}/s of ${most.toFixed(1)}/s that the line carries`;
  return [
    {
      what: `${baudRate} Bd, good polls of 28 units`,
      figure: percent(alone.polls / most),
      details: rate(alone),
    },
    {
      what: `${baudRate} Bd, good polls beside 4 dead units`,
      figure: percent(mixed.polls / most),
      details: `${rate(mixed)}; ${mixed.collisions} collisions`,
    },
    {
      what: `${baudRate} Bd, time that one dead unit takes`,
      figure: percent(mixed.cost),
      budget: '< 2 %',
      met: mixed.cost < 0.02,
      details: 'of the line, once its breaker is open',
    },
    {
      what: `${baudRate} Bd, polls that begin while a command waits`,
      figure: `${overtaken}`,
      budget: '0',
      met: overtaken === 0,
      details: `most of ${times.length}; it waits ${median(times).toFixed(2)} transactions in the median, ${Math.max(...times).toFixed(2)} at most`,
    },
    {
      what: `${baudRate} Bd, \`modbus-serial\` 8.0.25, all 32 in turn`,
      figure: percent(other.polls / most),
      details: `${rate(other)}: Moonwire does ${(mixed.polls / other.polls).toFixed(2)} times as many`,
    },
  ];
}
