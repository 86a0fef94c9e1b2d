-- Transparent data (JT/T 808-2019, 8.62: 0900): what vendors send beside the standard, by its first byte.

local fields = require "protocols.jt808.fields"
local obd = require "protocols.jt808.obd"
local sensors = require "protocols.jt808.sensors"

local transparent = {}

--- Text of a terminal on the serial port; a Garmin terminal logs a driver in with "GTSL|…".
local function serial(body)
  local text = fields.text(body:sub(2)) or ""
  local message = { type = "serial_data", text = text }
  if text:find("^GTSL|") then message.driver_id = mix.str_split(text, "|")[5] end
  return message
end

local function sentence(body)
  local message = { type = "obd" }
  obd.sentence(message, body:sub(2))
  return message
end

--- State, coordinates and, where there is one, a time of their own.
local function read_coordinates(message, body, at)
  if at and #body >= at + 11 then fields.coordinates(message, body, at) end
end

-- Reports of type F0 by their kind: each reads behind the header and returns where the coordinates begin, if any.
local EVENTS = {
  [51] = "hard_acceleration", [52] = "hard_braking", [53] = "hard_cornering", [54] = "lane_change", [56] = "accident",
}
local ALARMS = {
  [0x01] = "power_restored", [0x02] = "power_cut", [0x0e] = "idle", [0x1a] = "hard_acceleration",
  [0x1b] = "hard_braking", [0x1c] = "hard_cornering", [0x1d] = "lane_change", [0x1e] = "lane_change",
  [0x1f] = "lane_change", [0x23] = "fatigue_driving", [0x25] = "overspeed", [0x26] = "accident",
  [0x27] = "accident", [0x28] = "accident", [0x31] = "door", [0x32] = "door",
}

--- `count` items from `at` on; returns the position behind, nil when they are cut off.
local function read_items(body, at, count, header, each)
  local size = string.packsize(header)
  for _ = 1, count do
    if #body < at + size - 1 then return nil end
    local id, length, from = string.unpack(header, body, at)
    if #body < from + length - 1 then return nil end
    each(id, body:sub(from, from + length - 1))
    at = from + length
  end
  return at
end

local kinds = {}

kinds[0x01] = function(message, body, at)
  return read_items(body, at + 1, body:byte(at) or 0, ">I2B", function(id, value)
    local row = obd.report[id]
    if row then
      row(message, value)
    elseif #value == 1 or #value == 2 or #value == 4 then
      message.io = message.io or {}
      message.io[tostring(id)] = string.unpack(">I" .. #value, value)
    end
  end)
end

kinds[0x02] = function(message, body, at)
  if #body < at + 1 then return nil end
  local systems, from = string.unpack(">I2", body, at)
  local codes = {}
  for _ = 1, systems do
    if #body < from + 5 then return nil end
    local count
    count, from = string.unpack(">I2", body, from + 4)
    for _ = 1, count do
      if #body < from + 9 then return nil end
      local length, text = string.unpack(">I2", body, from + 8)
      if #body < text + length - 1 then return nil end
      codes[#codes + 1] = fields.text(body:sub(text, text + length - 1))
      from = text + length
    end
  end
  message.dtcs = codes
  return from
end

kinds[0x03] = function(message, body, at)
  return read_items(body, at + 1, body:byte(at) or 0, "BB", function(id)
    if ALARMS[id] then fields.alarm(message, ALARMS[id]) end
  end)
end

local TRIP_ENDED = 2
kinds[0x04] = function(message, body, at)
  if #body < at + 10 then return nil end
  local what, trip = string.unpack(">BI4", body, at)
  message.trip = trip
  message.trip_started = fields.time(body, at + 5)
  if what ~= TRIP_ENDED or #body < at + 41 then return nil end
  message.trip_ended = fields.time(body, at + 11)
  local stops, idle, distance, fuel = string.unpack(">I2I2I2I2", body, at + 34)
  message.idle_count, message.idle_time = stops, idle
  message.trip_odometer, message.trip_fuel = distance * 100, fuel / 100
  return nil
end

kinds[0x0b] = function(message, body, at)
  if (body:byte(at) or 0) > 0 then message.vin = fields.text(body:sub(at + 1, at + 17)) end
  return nil
end

kinds[0x15] = function(message, body, at)
  if #body < at + 3 then return nil end
  local event = string.unpack(">I4", body, at)
  message.event = event
  if EVENTS[event] then fields.alarm(message, EVENTS[event]) end
  return nil
end

--- What a vehicle reports: time, whether it comes late, kind of vehicle, kind of report.
local function report(body)
  if #body < 10 then return nil, "no report" end
  local message = { type = "obd", time = fields.time(body, 2), archived = body:byte(8) > 0 or nil }
  local read = kinds[body:byte(10)]
  if read then read_coordinates(message, body, read(message, body, 11)) end
  return message
end

--- A position and the tags around it (53) or samples of sensors (54).
local function located(read)
  return function(body)
    if #body < 25 then return nil, "no position" end
    local message = { type = "location" }
    fields.coordinates(message, body, 2)
    fields.motion(message, body, 14)
    message.time = fields.time(body, 20)
    read(message, body, 26)
    return message
  end
end

local function tags(message, body, at)
  at = at + 1 -- how many there are in all parts
  local list = {}
  while #body >= at + 8 do
    local index, mac, signal, length, from = string.unpack("Bc6i1B", body, at)
    list[#list + 1] = {
      index = index, mac = mix.hex(mac), rssi = signal, data_hex = mix.hex(body:sub(from, from + length - 1)),
    }
    at = from + length
  end
  message.tags = list
end

local function samples(message, body, at)
  message.samples = sensors.samples(body, at)
end

--- A position whose signs are those of its numbers.
local function signed(body)
  if #body < 21 then return nil, "no position" end
  local message = { type = "location", time = fields.time(body, 2) }
  local latitude, longitude = string.unpack(">i4i4", body, 8)
  latitude, longitude = latitude / 1000000, longitude / 1000000
  message.valid = latitude >= -90 and latitude <= 90 and longitude >= -180 and longitude <= 180
  if message.valid then message.latitude, message.longitude = latitude, longitude end
  fields.motion(message, body, 16)
  return message
end

--- Ids and lengths of two bytes: a collision and when it was.
local function collision(body)
  local message = { type = "collision" }
  fields.items(body, 2, ">I2I2", function(id, value)
    if id == 2 and #value >= 2 then message.collision = string.unpack(">I2", value) / 25600 end
    if id == 6 then message.time = fields.time(value, 1) end
  end)
  return message
end

local ROWS = {
  [0x40] = serial, [0x41] = sentence, [0x53] = located(tags), [0x54] = located(samples), [0xf0] = report,
  [0xf3] = collision, [0xff] = signed,
}

function transparent.decode(body)
  local kind = body:byte(1)
  if not kind then return nil, "no data" end
  local row = ROWS[kind]
  if row then return row(body) end
  return { type = "transparent", transparent_type = kind, data_hex = mix.hex(body:sub(2)) }
end

return transparent
