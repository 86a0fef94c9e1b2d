-- Modbus devices that are asked for registers again and again: on a serial line, or over TCP.
--
--   engine:
--     links:
--       - name: meters
--         serial: { port: /dev/ttyUSB0, baudRate: 9600, parity: even }
--         entry: lua/entry.modbus.lua
--         options: { framing: rtu, units: "1,2", address: 107, quantity: 4, type: float32, order: CDAB, seconds: 10 }
--
-- Options: `framing`: rtu or tcp · `units`: whom to ask, in turn · `table`: holding (default) or input registers ·
-- `address`: the first register, from 0 · `quantity`: how many · `type`, `order`, `scale`: what they hold (see
-- utils/registers.lua; unsigned 16-bit numbers by default) · `seconds`: how often · `device`: names the devices
-- reported, default "modbus-<unit>", with the unit in place of %u.

local registers = require "utils.registers"

local function option(name, default) return mix.server.option(name) or default end

--- An option that is a number from `low` to `high`.
local function number(name, default, low, high)
  local value = tonumber(option(name, default))
  if value and value >= low and value <= high then return value end
  error(string.format("option %s must be from %d to %d", name, low, high), 0)
end

local ADDRESS, QUANTITY = number("address", 0, 0, 65535), number("quantity", 1, 1, 125)
local SECONDS = number("seconds", 10, 0.1, 86400)
local FUNCTION = option("table", "holding") == "input" and 4 or 3
local DEVICE = option("device", "modbus-%u")
local KIND = { type = option("type", "uint16"), order = option("order"), scale = tonumber(option("scale", 1)) }
local WIDTH = registers.count(KIND.type)
-- Seconds a device may take to answer, and the silence before the next is asked.
local PATIENCE, GAP = 1, 0.02

local units = {}
for unit in option("units", "1"):gmatch("%d+") do units[#units + 1] = tonumber(unit) end

protocol = require(option("framing", "rtu") == "tcp" and "protocols.modbus_tcp" or "protocols.modbus_rtu")

-- Each open connection: its `conn`, its timers, and which of `units` is being asked.
local lines = {}

--- Asks unit number `turn` of the list; whoever does not answer in time is passed over.
local function ask(line, turn)
  local unit = units[turn]
  line.turn = unit and turn
  if not unit then return end
  local err = line.conn:send { unit = unit, function_code = FUNCTION, address = ADDRESS, quantity = QUANTITY }
  if err then mix.log(mix.WARN, string.format("unit %d was not asked: %s", unit, err)) end
  line.patience = mix.after(PATIENCE, function()
    mix.log(mix.WARN, string.format("unit %d does not answer", unit))
    ask(line, turn + 1)
  end)
end

function on_connect(client_id, conn)
  local line = { conn = conn }
  lines[client_id] = line
  line.round = mix.every(SECONDS, function()
    if not line.turn then ask(line, 1) end
  end)
  ask(line, 1)
end

--- What the registers hold, as a list of { name, value }; the name is the address of the first register.
local function readings(values)
  local bytes, list = registers.bytes(values), {}
  for i = 1, #values - WIDTH + 1, WIDTH do
    list[#list + 1] = {
      name = tostring(ADDRESS + i - 1),
      value = registers.number(bytes, KIND, 2 * i - 1),
    }
  end
  return list
end

function on_message(msg, conn)
  local line = lines[conn:client_id()]
  local turn = line and line.turn
  if not turn or msg.unit ~= units[turn] then return end
  line.patience:cancel()
  local device = DEVICE:gsub("%%u", tostring(msg.unit))
  if msg.type == "response" then
    local list = readings(msg.values)
    local words = {}
    for i, reading in ipairs(list) do words[i] = reading.name .. " = " .. tostring(reading.value) end
    mix.log(mix.INFO, device .. ": " .. table.concat(words, ", "))
    local ok, err = mix.report(device, { values = list })
    if not ok then mix.log(mix.WARN, device .. ": not reported: " .. err) end
  else
    mix.log(mix.WARN, string.format("%s: %s", device, msg.exception_name or "exception " .. tostring(msg.exception)))
  end
  line.patience = mix.after(GAP, function() ask(line, turn + 1) end)
end

function on_close(client_id)
  local line = lines[client_id]
  if not line then return end
  lines[client_id] = nil
  line.round:cancel()
  if line.patience then line.patience:cancel() end
end
