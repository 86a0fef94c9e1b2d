-- The compact reports of locks and containers: 5501, and 5502 where there was no fix ("blind").
-- Dates and coordinates are packed decimal: ddmmyyhhmmss in UTC, ddmm.mmmm, dddmm.mmmm, and a digit of flags.

local calendar = require "utils.calendar"
local fields = require "protocols.jt808.fields"

local compact = {}

local BLIND = 0x5502
local NORTH, EAST = 2, 4
local KNOT = 1.852
local SIZE = 39
local CHARGING = { [0xaa] = true, [0xab] = true }

-- Alarms by the product.
local LOCK, LOCK_WITH_CARD, CONTAINER = 1, 2, 3
local LOCK_ALARMS = { [0] = "low_power" }
local ALARMS = {
  [LOCK] = LOCK_ALARMS, [LOCK_WITH_CARD] = LOCK_ALARMS,
  [CONTAINER] = {
    [0] = "overspeed", [1] = "low_power", [2] = "vibration", [3] = "low_battery", [5] = "geofence_enter",
    [6] = "geofence_exit",
  },
}
local BLOCKED = 0x20

--- Degrees of digits ddmmmmmm; nil for minutes past 59.
local function degrees(digits)
  local minutes = tonumber(digits:sub(-6)) / 10000
  return minutes < 60 and tonumber(digits:sub(1, -7)) + minutes / 60 or nil
end

local function read_position(message, body)
  local digits = mix.bcd(body:sub(1, 14)) -- the date, latitude, longitude and flags
  local latitude = mix.bcd(body:sub(7, 10))
  local east_digits, flags = mix.hex(body:sub(11, 15)):match("^(%d%d%d%d%d%d%d%d%d)(%x)$")
  if not digits or not latitude or not east_digits then return end
  local day, month, year, hour, minute, second = digits:match("^(%d%d)(%d%d)(%d%d)(%d%d)(%d%d)(%d%d)")
  message.time = calendar.epoch(2000 + tonumber(year), tonumber(month), tonumber(day), tonumber(hour),
    tonumber(minute), tonumber(second))
  flags = tonumber(flags, 16)
  local north, east = degrees(latitude), degrees(east_digits)
  if not north or not east or north > 90 or east > 180 then
    message.valid = false
    return
  end
  message.latitude = flags & NORTH ~= 0 and north or 0 - north
  message.longitude = flags & EAST ~= 0 and east or 0 - east
end

local ITEMS = {
  [0x02] = function(message, value)
    if #value >= 2 then message.altitude = string.unpack(">i2", value) end
  end,
  [0x0a] = function(message, value)
    if #value ~= 3 then return end
    local mcc, mnc = string.unpack(">I2B", value)
    if mcc ~= 0 then message.mcc, message.mnc = mcc, mnc end
  end,
  [0x0b] = require("protocols.jt808.vendors")[0x0b],
  [0x0c] = function(message, value)
    if #value < 6 then return end
    local x, y, z = string.unpack(">i2i2i2", value)
    message.tilt = { x = x, y = y, z = z }
  end,
  [0x10] = fields.number("wake_source", 1),
  [0xfc] = fields.number("geofence", 1),
}

function compact.decode(body, message_id)
  if #body < SIZE - 4 then return nil, "no position" end
  local message = { type = "location", valid = message_id ~= BLIND }
  read_position(message, body)
  local speed = mix.bcd(body:sub(16, 16))
  local course, signal, satellites, odometer, battery, cell, area, product, status, alarms, at =
    string.unpack(">BBBI4BI4I2BI2I2", body, 17)
  if speed then message.speed = tonumber(speed) * KNOT end
  if course <= 180 then message.course = course * 2 end
  message.rssi, message.satellites, message.odometer = signal, satellites, odometer * 1000
  if battery <= 100 then message.battery = battery elseif CHARGING[battery] then message.charging = true end
  if cell ~= 0 and area ~= 0 then message.cell, message.lac = cell, area end
  message.product, message.status = product, status
  if product == CONTAINER then message.blocked = status & BLOCKED ~= 0 end
  if ALARMS[product] then fields.alarms(message, alarms, ALARMS[product]) end
  fields.items(body, at, "BB", function(id, value)
    if ITEMS[id] then ITEMS[id](message, value) end
  end)
  return message
end

return compact
