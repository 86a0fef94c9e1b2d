import t from 'tap';
import { offlineVm } from '../support/protocol.js';
import { random } from '../support/random.js';
import { startLua } from '../support/run-lua.js';

interface Point {
  name: string;
  table: string;
  type: string;
  register: number;
  count: number;
  access: string;
}

/** The fewest requests that can read sorted, disjoint points: tries every cut. */
function fewest(points: readonly Point[], size: number, gap: number): number {
  const best = [0];
  for (let end = 1; end <= points.length; end++) {
    best[end] = Number.POSITIVE_INFINITY;
    for (let start = end - 1; start >= 0; start--) {
      const [first, last] = [points[start]!, points[end - 1]!];
      if (start < end - 1) {
        const next = points[start + 1]!;
        if (first.table !== next.table || next.register - first.register - first.count > gap) break;
      }
      if (last.register + last.count - first.register > size) break;
      best[end] = Math.min(best[end]!, best[start]! + 1);
    }
  }
  return best.at(-1)!;
}

t.test('reads are merged into the fewest requests within size and gap', async (t) => {
  const vm = offlineVm();
  const [plan] = vm.execute(
    `local map = require "utils.modbus_map"
    return function(json, size, gap)
      return mix.json_encode(map.plan(mix.json_decode(json), { size = size, gap = gap }))
    end`,
    '=test',
  );
  const rng = random(t);
  for (let round = 0; round < 300; round++) {
    const [size, gap] = [4 + rng.below(60), rng.below(10)];
    const points: Point[] = [];
    for (const table of ['holding', 'input']) {
      let at = rng.below(5);
      for (let i = rng.below(30); i > 0; i--) {
        const count = 1 + rng.below(4);
        const access = rng.below(8) === 0 ? 'write' : 'read';
        points.push({ name: `${table}${at}`, table, type: 'u16', register: at, count, access });
        at += count + (rng.below(3) === 0 ? rng.below(20) : 0);
      }
    }
    const shuffled = [...points].sort(() => rng.below(3) - 1);
    const text = shuffled.length === 0 ? '[]' : JSON.stringify(shuffled);
    const requests = JSON.parse(String(vm.invoke(plan, [text, size, gap])[0])) as {
      table: string;
      address: number;
      quantity: number;
      points: Point[];
    }[];
    const readable = points.filter(({ access }) => access !== 'write');
    t.equal(requests.length, fewest(readable, size, gap), `round ${round}`);
    const read = requests.flatMap((request) => {
      const inside = request.points.every(
        ({ table, register, count }) =>
          table === request.table &&
          register >= request.address &&
          register + count <= request.address + request.quantity,
      );
      t.ok(inside && request.quantity <= size, `round ${round}`);
      return request.points.map(({ name }) => name);
    });
    t.strictSame(read.sort(), readable.map(({ name }) => name).sort(), `round ${round}`);
  }
});

t.test('coils count sixteen to a register, and at most 2000 are read at once', async (t) => {
  const vm = offlineVm();
  const [json] = vm.execute(
    `local map, points = require "utils.modbus_map", {}
    for i = 0, 2400 do points[#points + 1] = { name = "c" .. i, table = "coil", type = "bool", register = i, count = 1 } end
    points[#points + 1] = { name = "far", table = "coil", type = "bool", register = 2500, count = 1 }
    local list = {}
    for i, r in ipairs(map.plan(points)) do list[i] = { r.function_code, r.address, r.quantity } end
    return mix.json_encode(list)`,
    '=test',
  );
  t.strictSame(JSON.parse(String(json)), [
    [1, 0, 2000],
    [1, 2000, 501],
  ]);
});

t.test('what is written reads back the same, in every type and order', async (t) => {
  const vm = offlineVm();
  const [trip] = vm.execute(
    `local map = require "utils.modbus_map"
    return function(json)
      local point = mix.json_decode(json)
      local request = map.plan({ point })[1]
      local write, err = map.write(point, point.value)
      if not write then return err end
      local values = write.values or { write.value }
      local list = map.values({ request }, { { values = values } })
      return list[1].value, mix.json_encode(values)
    end`,
    '=test',
  );
  const rng = random(t);
  const COUNT: Record<string, number> = { u16: 1, s16: 1, u32: 2, s32: 2, u64: 4, s64: 4, f32: 2, f64: 4 };
  for (let round = 0; round < 500; round++) {
    const type = Object.keys(COUNT)[rng.below(8)]!;
    const scale = [1, 0.1, 0.01, 0.001, 10, -0.1][rng.below(6)]!;
    const bits = { u16: 16, s16: 15, u32: 32, s32: 31 }[type] ?? 45;
    let raw = type === 'f32' ? rng.below(100_000) : Math.floor((rng.below(2 ** 30) / 2 ** 30) * 2 ** bits);
    if (!type.startsWith('u') && rng.below(2) === 0) raw = -raw;
    const value = Math.abs(scale) < 1 ? raw / Math.round(1 / scale) : raw * scale;
    const order = () => ['big', 'little'][rng.below(2)];
    const point = {
      ...{ name: 'p', table: 'holding', register: 7, access: 'readwrite', count: COUNT[type] },
      ...{ type, scale, value, byteOrder: order(), wordOrder: order() },
    };
    const [read, words] = vm.invoke(trip, [JSON.stringify(point)]);
    t.equal(Number(read) + 0, value + 0, `${JSON.stringify(point)} ${String(words)}`);
  }
});

t.test('values of real templates', async (t) => {
  const vm = offlineVm();
  const [values] = vm.execute(
    `local map = require "utils.modbus_map"
    return function(name, words)
      local points = {}
      for _, point in ipairs(mix.template(name).points) do
        if words[tostring(point.register)] ~= nil then points[#points + 1] = point end
      end
      local requests, answers = map.plan(points, { gap = 0 }), {}
      for i, request in ipairs(requests) do
        local list = {}
        for at = request.address, request.address + request.quantity - 1 do list[#list + 1] = words[tostring(at)] end
        answers[i] = request.function_code < 3 and { bits = list } or { values = list }
      end
      return mix.json_encode(map.values(requests, answers))
    end`,
    '=test',
  );
  const read = (name: string, words: string): unknown => {
    const [call] = vm.execute(`return function(f) return f("${name}", ${words}) end`, '=test');
    return JSON.parse(Buffer.from(String(vm.invoke(call, [values])[0]), 'latin1').toString());
  };
  // 230.2 V as a float; the SunSpec power 4321 × 10^-1; 0x8000 is a value the inverter does not have.
  t.strictSame(read('eastron_sdm120', '{ ["0"] = 0x4366, ["1"] = 0x3333 }'), [
    { name: 'voltage', value: 230.2, unit: 'V' },
  ]);
  t.strictSame(
    read(
      'fronius_sunspec',
      '{ ["40083"] = 4321, ["40084"] = 0xffff, ["40087"] = 0x8000, ["40088"] = 0, ["40107"] = 4, ["40100"] = 100 }',
    ),
    [
      { name: 'active_power', value: 432.1, unit: 'W' },
      { name: 'state', value: 'mppt' },
    ],
  );
  t.strictSame(read('pzem_016', '{ ["0"] = 2305, ["1"] = 1, ["2"] = 1, ["9"] = 0xffff }'), [
    { name: 'voltage', value: 230.5, unit: 'V' },
    { name: 'current', value: 65.537, unit: 'A' },
    { name: 'power_alarm', value: 'alarm' },
  ]);
  t.strictSame(read('xy_md02', '{ ["1"] = 0xff33 }'), [{ name: 'temperature', value: -20.5, unit: '°C' }]);
  t.match(read('epever_tracer', '{ ["12801"] = 0x800b }'), [
    { name: 'charging_status_running', value: true },
    { name: 'charging_status_fault', value: true },
    { name: 'charging_status_stage', value: 2 },
  ]);
  t.strictSame(read('waveshare_relay_8ch', '{ ["0"] = true, ["1"] = false }'), [
    { name: 'relay_1', value: true },
    { name: 'relay_2', value: false },
  ]);
});

/** A device in Lua: `words` by address, `asked` what was requested, `rule(message)` may answer otherwise. */
const DEVICE = `
local poller = require "utils.poller"
local words, asked, heard, errors = {}, {}, {}, {}
local rule = function() end
local function request(message, options)
  asked[#asked + 1] = { message.function_code, message.address, message.quantity or 1, options.priority }
  local reply, err = rule(message)
  if reply or err then return reply, err end
  if message.function_code == 6 then words[message.address] = message.value return { type = "response" } end
  local values = {}
  for i = 1, message.quantity do values[i] = words[message.address + i - 1] or 0 end
  return { type = "response", values = values }
end
local function point(name, register, more)
  local p = { name = name, register = register, table = "holding", type = "u16", count = 1, access = "readwrite" }
  for k, v in pairs(more or {}) do p[k] = v end
  return p
end
local function device(points, more)
  local options = {
    template = { points = points, requests = { size = 20, gap = 4 } }, unit = 3, request = request,
    on_values = function(values) heard[#heard + 1] = values end,
    on_error = function(err) errors[#errors + 1] = err end,
  }
  for k, v in pairs(more or {}) do options[k] = v end
  return poller.new(options)
end
`;

t.test('what changed by more than its dead-band is told; after a while everything', async (t) => {
  const { run } = await startLua(t);
  const [text] = await run(`${DEVICE}
    local d = device({ point("a", 0, { deadband = 2 }), point("b", 1) }, { report = "change" })
    for _, step in ipairs { { 10, 1 }, { 12, 1 }, { 13, 1 }, { 13, 2 } } do
      words[0], words[1] = step[1], step[2]
      d:poll(d.groups[1])
    end
    d.options.refresh = 0
    d:poll(d.groups[1])
    for i, values in ipairs(heard) do
      for j, v in ipairs(values) do values[j] = v.name .. v.value end
      heard[i] = table.concat(values, " ")
    end
    return table.concat(heard, ",")`);
  t.equal(text, 'a10 b1,a13,b2,a13 b2');
});

t.test('a device with a hole is asked around it from then on', async (t) => {
  const { run } = await startLua(t);
  const [text, stats] = await run(`${DEVICE}
    rule = function(m)
      if m.address <= 2 and m.address + m.quantity > 2 then return { type = "exception", exception = 2 } end
    end
    local d = device { point("a", 0), point("b", 1), point("c", 4) }
    d:poll(d.groups[1])
    d:poll(d.groups[1])
    for i, a in ipairs(asked) do asked[i] = a[2] .. "+" .. a[3] end
    return table.concat(asked, " ") .. " / " .. #heard[1] .. #heard[2], mix.json_encode(d.stats)`);
  t.equal(text, '0+5 0+2 4+1 0+2 4+1 / 33');
  t.match(JSON.parse(String(stats)), { polls: 2, exceptions: 1, errors: 0, requests: 5 });
});

t.test('a dead device costs one request a poll; an exception costs only its own values', async (t) => {
  const { run } = await startLua(t);
  const [text] = await run(`${DEVICE}
    local silence = {}
    local d = device({ point("a", 0), point("b", 100), point("c", 200) }, {
      on_silence = function(err) silence[#silence + 1] = tostring(err) end,
    })
    rule = function() return nil, "timeout: no answer" end
    d:poll(d.groups[1])
    rule = function(m) if m.address == 0 then return nil, "timeout: no answer" end end
    d:poll(d.groups[1])
    rule = function(m) if m.address == 100 then return { type = "exception", exception = 4, exception_name = "server device failure" } end end
    d:poll(d.groups[1])
    return #asked .. " " .. #heard .. " " .. #heard[1] .. " " .. table.concat(errors, ", ") .. " / " .. table.concat(silence, ", ")`);
  t.equal(
    text,
    '5 1 2 timeout: no answer, timeout: no answer, exception: server device failure / timeout: no answer, nil',
  );
});

t.test('a line that is gone is no silence of its devices', async (t) => {
  const { run } = await startLua(t);
  const [text] = await run(`${DEVICE}
    local silence = {}
    local d = device({ point("a", 0) }, { on_silence = function(err) silence[#silence + 1] = tostring(err) end })
    rule = function() return nil, "closed: the link ends" end
    d:poll(d.groups[1])
    rule = function() end
    d:poll(d.groups[1])
    return #asked .. " " .. #silence`);
  t.equal(text, '2 0');
});

t.test('writes are read back', async (t) => {
  const { run } = await startLua(t);
  const [text] = await run(`${DEVICE}
    local d = device { point("a", 0, { type = "s16", scale = 0.1 }), point("b", 1, { access = "read" }), point("c", 2, { enum = { ["1"] = "on" } }), point("w", 3, { access = "write" }) }
    local out = {}
    local function try(...) local ok, err = d:write(...) out[#out + 1] = tostring(ok or err) end
    try("a", -1.5)
    out[#out + 1] = words[0]
    try("a", 4000) try("b", 1) try("x", 1) try("c", "on") try("a", "warm") try("w", 7)
    rule = function(m) if m.function_code == 6 then return { type = "response" } end end
    try("a", 2)
    for _, a in ipairs(asked) do if a[4] ~= "command" then out[#out + 1] = "not a command" end end
    return table.concat(out, "\\n")`);
  t.strictSame(String(text).split('\n'), [
    'true',
    '65521',
    'invalid_argument: a takes a number from -3276.8 to 3276.7',
    'invalid_argument: b cannot be written',
    'not_found: there is no point x',
    'true',
    'invalid_argument: a takes a number',
    'true',
    'conflict: a was written, but reads back otherwise',
  ]);
});

t.test('polls that take longer than their period do not pile up, and are counted', async (t) => {
  const { run } = await startLua(t);
  const [text] = await run(`${DEVICE}
    local busy, most = 0, 0
    rule = function()
      busy = busy + 1
      most = math.max(most, busy)
      mix.sleep(0.25)
      busy = busy - 1
    end
    local told = 0
    local d = device({ point("a", 0) }, { period = 0.1, on_skip = function(n) told = told + n end })
    d:start()
    while d.stats.polls < 4 do mix.sleep(0.02) end
    d:stop()
    mix.sleep(0.3)
    local polls = d.stats.polls
    mix.sleep(0.3)
    return most .. " " .. tostring(d.stats.skipped >= 6) .. " " .. tostring(polls == d.stats.polls) .. " " .. told - d.stats.skipped`);
  t.equal(text, '1 true true 0');
});
