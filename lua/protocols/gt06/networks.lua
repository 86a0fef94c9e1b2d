-- Cells and WiFi access points that GT06 devices see.

local fields = require "protocols.gt06.fields"

local short = {}

--- Time, network, cells, seven if not said otherwise; `tail(message, body, at)` reads what follows.
local function cells(format, tail, count)
  return function(body, session)
    local message = { type = "lbs" }
    local at = fields.time(message, body, 1, session)
    at = at and fields.network(message, body, at)
    if not at then return nil, "no cells" end
    at = fields.cells(message, body, at, count or 7, format)
    if tail then tail(message, body, at) end
    return message
  end
end

local function wifi_tail(message, body, at)
  if #body > at then fields.wifi(message, body, at + 2, body:byte(at + 1)) end
end

short[0x18] = cells("I2I3")
short[0x28] = short[0x18]
short[0x2e] = short[0x18]
short[0x24] = short[0x18]
short[0x33] = cells("I2I4", wifi_tail, 6)
short[0x2c] = cells("I2I3", wifi_tail)
short[0xa1] = cells("I4I8")
local wide_wifi = cells("I4I8", wifi_tail)

short[0x1e] = function(body, session)
  local message = { type = "location" }
  local at = fields.gps(message, body, 1, session)
  if not at then return nil, "no position" end
  at = fields.network(message, body, at)
  if at then fields.cells(message, body, at, 7, "I2I3") end
  return message
end

--- Cells and access points, or of one length the position and state of a Jimi 4G tracker.
short[0xa2] = function(body, session)
  if #body ~= 59 then return wide_wifi(body, session) end
  local message = { type = "location" }
  local at = fields.cell(message, body, fields.gps(message, body, 1, session), fields.LTE_WIDE)
  if #body - at ~= 25 then return message end
  local status, voltage, battery, signal, alarm_code, odometer, hours = string.unpack(">xBI2BBBxI4I4", body, at)
  fields.status(message, status)
  fields.battery(message, battery)
  fields.signal(message, signal)
  fields.alarm(message, alarm_code)
  message.voltage, message.odometer, message.engine_hours = voltage / 100, odometer, hours
  return message
end

short[0xf3] = function(body, session)
  local message = { type = "wifi" }
  local at = fields.time(message, body, 1, session)
  local count = at and body:byte(at)
  if not count then return nil, "no access points" end
  local points = {}
  for i = 1, count do
    at = 8 + 8 * (i - 1)
    if #body < at + 7 then break end
    points[i] = { mac = mix.hex(body:sub(at + 2, at + 7)) }
  end
  message.wifi = points
  return message
end

--- As many cells as a byte says, in some models under 0x24: time, timing advance, network, their number, the cells.
local function counted(body, session)
  local message = { type = "lbs" }
  local at = fields.time(message, body, 1, session)
  at = at and fields.network(message, body, at + 1)
  local count = at and body:byte(at)
  if not count then return nil, "no cells" end
  fields.cells(message, body, at + 1, count, "I2I3")
  return message
end

return { short = short, long = {}, counted = counted }
