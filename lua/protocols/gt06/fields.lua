-- What the messages of GT06 and its relatives are made of. Each function reads one part of a message's body into the
-- fields of `message`; where the body is too short it adds nothing and returns nil for the position behind it.

local calendar = require "utils.calendar"

local fields = {}

-- Bits of the course and status word that follows the coordinates (GT06 protocol V1.8.1, 5.2.1.8).
local COURSE, NORTH, WEST, FIXED, HAS_IGNITION, IGNITION = 0x3ff, 0x400, 0x800, 0x1000, 0x4000, 0x8000
-- Bits of the terminal information (5.3.1.4).
local ARMED, ACC, CHARGING, ALARM_SHIFT, BLOCKED = 1, 2, 4, 3, 0x80

local STATUS_ALARMS = { "vibration", "power_cut", "low_battery", "sos" }

-- Alarm codes as GT06 and Jimi devices send them; the others mean different things on different models.
local ALARMS = {
  [0x01] = "sos", [0x02] = "power_cut", [0x03] = "vibration", [0x04] = "geofence_enter", [0x05] = "geofence_exit",
  [0x06] = "overspeed", [0x09] = "movement", [0x0c] = "tampering", [0x0e] = "low_battery", [0x0f] = "low_battery",
  [0x11] = "power_off", [0x13] = "tampering", [0x14] = "door", [0x19] = "low_battery", [0x23] = "fall",
  [0x29] = "hard_acceleration", [0x2a] = "hard_cornering", [0x2b] = "hard_cornering", [0x2c] = "accident",
  [0x30] = "hard_braking",
}

--- The IMEI in the 8 bytes at `at`: a zero and 15 decimal digits. Nil when it is none.
function fields.imei(body, at)
  local digits = #body >= at + 7 and mix.bcd(body:sub(at, at + 7))
  return digits and digits:match("^0(%d+)$") or nil
end

--- The time of six bytes; local time after a login that carried a time zone.
function fields.time(message, body, at, session)
  message.time = calendar.epoch_of_bytes(body, at, session.timezone)
  return #body >= at + 5 and at + 6 or nil
end

--- Coordinates in 1/30,000 minute, and the course and status word.
function fields.position(message, latitude, longitude, flags)
  latitude, longitude = latitude / 1800000, longitude / 1800000
  message.valid = flags & FIXED ~= 0
  if latitude <= 90 and longitude <= 180 then
    message.latitude = flags & NORTH ~= 0 and latitude or 0 - latitude
    message.longitude = flags & WEST == 0 and longitude or 0 - longitude
  else
    message.valid = false
  end
  if flags & COURSE <= 360 then message.course = flags & COURSE end
  if flags & HAS_IGNITION ~= 0 then message.ignition = flags & IGNITION ~= 0 end
end

--- Time, satellites, coordinates, speed, course and status: the 18 bytes that most messages begin with.
function fields.gps(message, body, at, session)
  if #body < at + 17 then return nil end
  local year, month, day, hour, minute, second, satellites, latitude, longitude, speed, flags =
    string.unpack(">BBBBBBBI4I4BI2", body, at)
  local time = calendar.epoch(2000 + year, month, day, hour, minute, second)
  message.time = time and time - (session.timezone or 0)
  message.satellites = satellites & 15
  message.speed = speed
  fields.position(message, latitude, longitude, flags)
  return at + 18
end

--- The layout of a cell: formats of what follows the country code, when the network code has one byte and two.
local function layout(short, long)
  short, long = ">I2" .. short, ">I2" .. long
  return { short = short, short_size = string.packsize(short), long = long, long_size = string.packsize(long) }
end

--- Network code, location area and cell id. The top bit of the country code says that the network code has two
-- bytes; in some layouts it always has.
fields.GSM = layout("BI2I3", "I2I2I3")
fields.GSM_LTE = layout("BI2I4", "I2I2I4")
fields.LTE = layout("I2I2I4", "I2I2I4")
fields.LTE_WIDE = layout("BI4I8", "I2I4I8")

--- The serving cell.
function fields.cell(message, body, at, form)
  local first = at and body:byte(at)
  if not first then return nil end
  local is_long = first >= 0x80
  if #body < at + (is_long and form.long_size or form.short_size) - 1 then return nil end
  local mcc, mnc, lac, cell, after = string.unpack(is_long and form.long or form.short, body, at)
  mcc = mcc & 0x7fff
  -- A number beyond 2^53 comes as a string, and is no cell.
  if mcc ~= 0 and type(cell) == "number" then
    message.mcc, message.mnc, message.lac, message.cell = mcc, mnc, lac, cell
  end
  return after
end

--- A received signal in dBm: sent without its sign, or as a signed byte.
local function dbm(byte) return byte > 127 and byte - 256 or 0 - byte end

--- `count` cells of one network, each with its signal; those that are all zero are left out.
-- `format`: location area and cell id.
function fields.cells(message, body, at, count, format)
  local item = ">" .. format .. "B"
  local size = string.packsize(item)
  local cells = {}
  for _ = 1, count do
    if #body < at + size - 1 then break end
    local lac, cell, signal
    lac, cell, signal, at = string.unpack(item, body, at)
    if lac ~= 0 or cell ~= 0 then
      cells[#cells + 1] = { mcc = message.mcc, mnc = message.mnc, lac = lac, cell = cell, rssi = dbm(signal) }
    end
  end
  message.cells = cells
  return at
end

--- `count` WiFi access points of 7 bytes, MAC and signal; those that are all zero are left out.
function fields.wifi(message, body, at, count)
  local points = {}
  for _ = 1, count do
    if #body < at + 6 then break end
    local mac = mix.hex(body:sub(at, at + 5))
    if mac ~= "000000000000" then points[#points + 1] = { mac = mac, rssi = dbm(body:byte(at + 6)) } end
    at = at + 7
  end
  message.wifi = points
  return at
end

--- Country and network code without a cell, as lists of cells begin with.
function fields.network(message, body, at)
  if #body < at + 3 then return nil end
  local mcc, mnc, after = string.unpack(">I2B", body, at)
  if mcc & 0x8000 ~= 0 then mnc, after = string.unpack(">I2", body, at + 2) end
  message.mcc, message.mnc = mcc & 0x7fff, mnc
  return after
end

--- Bits that tell ignition, charging, cut fuel and alarms.
function fields.status(message, byte)
  message.ignition = byte & ACC ~= 0
  message.charging = byte & CHARGING ~= 0
  message.blocked = byte & BLOCKED ~= 0
  message.armed = byte & ARMED ~= 0
  message.alarm = STATUS_ALARMS[byte >> ALARM_SHIFT & 7]
end

--- The battery: a level of 0 to 6, or per cent. Anything else is some model's own.
function fields.battery(message, byte)
  if byte <= 6 then message.battery = byte * 100 // 6
  elseif byte <= 100 then message.battery = byte end
end

--- The signal: a level of 0 to 4, or whatever else the model counts to 100.
function fields.signal(message, byte)
  if byte <= 100 then message.rssi = byte end
end

--- Terminal information, battery and signal: three bytes.
function fields.state(message, body, at)
  if not at or #body < at + 2 then return nil end
  local status, battery, signal = body:byte(at, at + 2)
  fields.status(message, status)
  fields.battery(message, battery)
  fields.signal(message, signal)
  return at + 3
end

--- An alarm code. Where the bits of the terminal information tell an alarm too, that one stays: those four are the
-- same on all models.
function fields.alarm(message, code)
  message.alarm = message.alarm or ALARMS[code]
end

--- Items of an id, a length and a value, as a table from id to value. `header`: the format of id and length.
function fields.items(body, at, header)
  local items, size = {}, string.packsize(header)
  while at and #body >= at + size - 1 do
    local id, length, value = string.unpack(header, body, at)
    if #body < value + length - 1 then break end
    items[id] = body:sub(value, value + length - 1)
    at = value + length
  end
  return items
end

--- A number in an item, divided by `divisor`; nil when the item is missing or has another size.
function fields.number(value, size, divisor)
  if not value or #value ~= size then return nil end
  return string.unpack(">I" .. size, value) / (divisor or 1)
end

return fields
