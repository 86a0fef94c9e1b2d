-- What JT/T 808 messages are made of.

local calendar = require "utils.calendar"

local fields = {
  --- Seconds that the clocks of terminals are ahead of UTC. The standard says Beijing's time, and says nothing else.
  -- An entry script whose devices run otherwise sets it: require("protocols.jt808").clock.offset = 0
  clock = { offset = 8 * 3600 },
}

--- Bits of the state of a vehicle (JT/T 808-2019, table 24). Charging is what trackers with a battery add.
local IGNITION, FIXED, SOUTH, WEST, FUEL_CUT, DOORS, CHARGING =
  1, 2, 4, 8, 0x400, 0x3e000, 0x4000000

--- The Unix time of six bytes in packed decimal, nil for no time.
function fields.time(body, at)
  return calendar.epoch_of_bcd(body, at, fields.clock.offset)
end

--- State, latitude and longitude: 12 bytes.
function fields.coordinates(message, body, at)
  local state, latitude, longitude = string.unpack(">I4I4I4", body, at)
  message.ignition, message.blocked = state & IGNITION ~= 0, state & FUEL_CUT ~= 0
  if state & DOORS ~= 0 then message.door = true end
  if state & CHARGING ~= 0 then message.charging = true end
  message.valid = state & FIXED ~= 0
  latitude, longitude = latitude / 1000000, longitude / 1000000
  if latitude > 90 or longitude > 180 then
    message.valid = false
    return
  end
  message.latitude = state & SOUTH == 0 and latitude or 0 - latitude
  message.longitude = state & WEST == 0 and longitude or 0 - longitude
end

--- Altitude in m, speed in 0.1 km/h, course: 6 bytes.
function fields.motion(message, body, at)
  local altitude, speed, course = string.unpack(">i2I2I2", body, at)
  message.altitude = altitude
  if speed ~= 0xffff then message.speed = speed / 10 end
  if course <= 360 then message.course = course end
end

--- Adds an alarm: the first is `alarm`; when there are more, all are in `alarms`.
function fields.alarm(message, name)
  if not message.alarm then
    message.alarm = name
  elseif message.alarm ~= name then
    message.alarms = message.alarms or { message.alarm }
    for _, known in ipairs(message.alarms) do
      if known == name then return end
    end
    message.alarms[#message.alarms + 1] = name
  end
end

--- Adds the alarms whose bits are set; `names` from bit number to name.
function fields.alarms(message, bits, names)
  if bits == 0 then return end
  for bit = 0, 31 do
    if names[bit] and bits >> bit & 1 ~= 0 then fields.alarm(message, names[bit]) end
  end
end

--- Items of an id, a length and a value. `header`: the format of id and length; `each` is called with both.
-- Returns whether they fill the bytes exactly.
function fields.items(body, at, header, each)
  local size = string.packsize(header)
  while #body >= at + size - 1 do
    local id, length, from = string.unpack(header, body, at)
    if #body < from + length - 1 then return false end
    each(id, body:sub(from, from + length - 1))
    at = from + length
  end
  return at == #body + 1
end

--- Text without the zeros, other control characters and blanks around it; nil for none.
function fields.text(bytes)
  local text = bytes:match("^[%c%s]*(.-)[%c%s]*$")
  return text ~= "" and text or nil
end

--- A serial number of a SIM card, a digit each half byte and filled up with f; some hold other letters too.
function fields.iccid(bytes)
  return mix.hex(bytes):match("^(%x-%d)f*$")
end

--- The strength of a signal in dBm: sent without its sign, or as a signed byte; nil for none.
local function dbm(byte)
  if byte == 0 then return nil end
  return byte > 127 and byte - 256 or 0 - byte
end

--- Adds a cell; one without area or number is none.
function fields.cell(message, mcc, mnc, area, cell, signal)
  if area == 0 or cell == 0 then return end
  local cells = message.cells or {}
  cells[#cells + 1] = { mcc = mcc, mnc = mnc, lac = area, cell = cell, rssi = signal and dbm(signal) }
  message.cells = cells
end

--- Adds a WiFi access point. `mac`: 12 hexadecimal digits.
function fields.wifi(message, mac, signal)
  local points = message.wifi or {}
  points[#points + 1] = { mac = mac, rssi = signal }
  message.wifi = points
end

--- A row for an item: `size` bytes as an unsigned number, divided; what is larger than `most` is no value.
function fields.number(name, size, divisor, most)
  local format = ">I" .. size
  divisor = divisor or 1
  return function(message, value)
    if #value < size then return end
    local number = string.unpack(format, value) / divisor
    if not most or number <= most then message[name] = number end
  end
end

--- A row for an item: a number whose zero is `offset` steps up.
function fields.shifted(name, size, offset, divisor)
  local format = ">I" .. size
  return function(message, value)
    if #value >= size then message[name] = string.unpack(format, value) / (divisor or 1) - offset end
  end
end

--- A row for an item: text.
function fields.string(name)
  return function(message, value) message[name] = fields.text(value) end
end

return fields
