-- Modbus devices that are asked for registers again and again: on a serial line, or over TCP.
--
--   engine:
--     links:
--       - name: meters
--         serial: { port: /dev/ttyUSB0, baudRate: 9600, parity: even }
--         entry: lua/entry.modbus.lua
--         options: { framing: rtu, units: "1,2", address: 107, quantity: 4, type: float32, order: CDAB, seconds: 10 }
--
-- Options: `framing`: rtu, ascii or tcp · `units`: whom to ask, in turn · `table`: holding (default) or input registers ·
-- `address`: the first register, from 0 · `quantity`: how many · `type`, `order`, `scale`: what they hold (see
-- utils/registers.lua; unsigned 16-bit numbers by default) · `seconds`: how often · `device`: names the devices
-- reported, default "modbus-<unit>", with the unit in place of %u.
-- Timeouts, retries and how a silent unit is left alone: `bus` of the link.

local registers = require "utils.registers"
local rounds = require "utils.rounds"

local function option(name, default) return mix.server.option(name) or default end

--- An option that is a number from `low` to `high`.
local function number(name, default, low, high)
  local value = tonumber(option(name, default))
  if value and value >= low and value <= high then return value end
  error(string.format("option %s must be from %g to %g", name, low, high), 0)
end

local ADDRESS, QUANTITY = number("address", 0, 0, 65535), number("quantity", 1, 1, 125)
local SECONDS = number("seconds", 10, 0.1, 86400)
local FUNCTION = option("table", "holding") == "input" and 4 or 3
local DEVICE = option("device", "modbus-%u")
local KIND = { type = option("type", "uint16"), order = option("order"), scale = tonumber(option("scale", 1)) }
local WIDTH = registers.count(KIND.type)

local units = {}
for unit in tostring(option("units", "1")):gmatch("%d+") do units[#units + 1] = tonumber(unit) end

local PROTOCOLS = { rtu = "protocols.modbus_rtu", ascii = "protocols.modbus_ascii", tcp = "protocols.modbus_tcp" }
protocol = require(PROTOCOLS[option("framing", "rtu")] or error("option framing must be rtu, ascii or tcp", 0))

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

local function report(device, list)
  local words = {}
  for i, reading in ipairs(list) do words[i] = reading.name .. " = " .. tostring(reading.value) end
  mix.log(mix.INFO, device .. ": " .. table.concat(words, ", "))
  rounds.report(device, { values = list })
end

--- Asks one unit. Returns the error when the connection is over.
local function ask(conn, unit)
  local device = DEVICE:gsub("%%u", tostring(unit))
  local reply, err = conn:request(
    { unit = unit, function_code = FUNCTION, address = ADDRESS, quantity = QUANTITY }, { priority = "poll" })
  if not reply and rounds.over(err) then return err end
  if not reply then
    rounds.failed(device, err)
  elseif reply.type == "exception" then
    mix.log(mix.WARN, string.format("%s: %s", device, reply.exception_name or "exception " .. reply.exception))
  else
    report(device, readings(reply.values))
  end
end

on_connect, on_close, on_unload, on_reload = rounds.handlers(SECONDS, function(conn)
  for _, unit in ipairs(units) do
    if ask(conn, unit) then break end
  end
end)
