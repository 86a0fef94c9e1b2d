-- Positions (JT/T 808-2019, 8.12: 0200): alarms, state, coordinates, time, and items of which every vendor has its own.

local fields = require "protocols.jt808.fields"
local read_item = require "protocols.jt808.items"

local location = {}

-- Table 25 of the standard; what it reserves (15, 16, 17) and 18, as trackers use them.
local ALARMS = {
  [0] = "sos", [1] = "overspeed", [2] = "fatigue_driving", [3] = "danger", [4] = "fault", [5] = "gps_antenna_cut",
  [6] = "gps_antenna_cut", [7] = "low_battery", [8] = "power_off", [9] = "fault", [10] = "fault", [11] = "fault",
  [13] = "overspeed_warning", [14] = "fatigue_warning", [15] = "vibration", [16] = "tampering", [17] = "tampering",
  [18] = "low_battery", [19] = "parking", [20] = "geofence", [21] = "route", [23] = "route_deviation",
  [25] = "fuel", [26] = "theft", [27] = "illegal_ignition", [28] = "movement", [29] = "accident", [30] = "accident",
  [31] = "door",
}
-- Asset trackers of AOVX; their firmware's name tells them.
local AOVX_ALARMS = { [16] = "movement" }

local SIZE = 28
-- Some trackers follow the position up with 18 bytes of their own, without ids.
local PLAIN_TAIL = 18

local function read_plain_tail(message, body, at)
  local odometer, voltage, signal = string.unpack(">I4I2xxxxB", body, at + 4)
  message.odometer, message.battery_voltage, message.rssi = odometer * 1000, voltage / 10, signal
end

--- Reads the 28 bytes that all positions begin with.
function location.base(message, body, at)
  if #body < at + SIZE - 1 then return nil end
  message.alarm_bits = string.unpack(">I4", body, at)
  fields.coordinates(message, body, at + 4)
  fields.motion(message, body, at + 16)
  message.time = fields.time(body, at + 22)
  return at + SIZE
end

--- Reads a position that begins at `at` and fills the rest of the body. `model`: what the device called itself.
function location.decode(body, at, model)
  local message = { type = "location" }
  local from = location.base(message, body, at)
  if not from then return nil, "no position" end
  local ignore = function() end
  if #body - from + 1 == PLAIN_TAIL and not fields.items(body, from, "BB", ignore) then
    read_plain_tail(message, body, from)
  else
    local context = { model = model }
    fields.items(body, from, "BB", function(id, value) read_item(message, id, value, context) end)
  end
  local is_aovx = message.firmware and message.firmware:find("^AOVX_")
  fields.alarms(message, message.alarm_bits, is_aovx and AOVX_ALARMS or ALARMS)
  return message
end

return location
