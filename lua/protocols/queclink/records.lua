-- The form of GL601 and later models (@Track protocol of the qdc.queclinksz.com documents), big endian:
--
--   2b (2d: stored) · 00 · length (2) · flags · [count and number of frames (2), when bit 7 is set] · IMEI (8, BCD) ·
--   device type (2) · protocol version (2) · custom version · reserved length · … · records · count (2) · CRC-8 · 24
--   2b · 10 · length · IMEI (8) · device type (2) · protocol version (2) · custom version · time (4) · count (2) · …
--
-- A record: length, time (4), count (2), id, event code, then items of id, length, data. Ids and lengths have one
-- byte, or two of 15 bits when the highest bit is set.

local records = {}

-- Count, check byte, tail.
local TAIL = 4
local MULTI_PACKET = 0x80
-- Items: a position, whole and without what follows its speed.
local POSITION, SHORT_POSITION = 0x52, 0x51
local FIXED = 2

local function variable(bytes, at)
  local value = bytes:byte(at)
  if value < 0x80 then return value, at + 1 end
  return string.unpack(">I2", bytes, at) & 0x7fff, at + 2
end

local function device_of(frame, at)
  local digits = mix.bcd(frame:sub(at, at + 7))
  return digits and digits:match("^0(%d+)$") or nil
end

--- State, coordinates, time and speed, then accuracy, azimuth, altitude and satellites.
local function read_position(message, data)
  local state, longitude, latitude, time, speed, at = string.unpack(">Bi4i4I4I2", data)
  longitude, latitude = longitude / 1000000, latitude / 1000000
  message.time, message.speed = time, speed / 10
  local known = math.abs(latitude) <= 90 and math.abs(longitude) <= 180
  message.valid = known and state >> 2 & 3 == FIXED
  if known then message.latitude, message.longitude = latitude, longitude end
  if #data < at + 6 then return end
  local hdop, course, altitude, satellites = string.unpack(">BI2i3B", data, at)
  message.hdop, message.altitude, message.satellites = hdop / 10, altitude / 10, satellites
  if course <= 360 then message.course = course end
end

--- One record as a message, from `at` to `last`; nil when its items do not fit it.
local function read_record(frame, at, last)
  if last < at + 7 then return nil end
  local time, count, id, event
  time, count, id, event, at = string.unpack(">I4I2BB", frame, at)
  local message = { type = "status", sent_at = time, record_count = count, record_id = id, event = event }
  local items = {}
  while at < last do
    local item, size
    item, at = variable(frame, at)
    if at > last then return nil end
    size, at = variable(frame, at)
    if at + size - 1 > last then return nil end
    local data = frame:sub(at, at + size - 1)
    if (item == POSITION or item == SHORT_POSITION) and size >= 15 then
      read_position(message, data)
      message.type = message.latitude and "location" or "status"
    else
      items[string.format("%02x", item)] = mix.hex(data)
    end
    at = at + size
  end
  if not message.latitude then message.time = message.time or time end
  message.items = next(items) and items or nil
  return message
end

-- The shortest report, without a record.
local SHORTEST = 23

local function read_report(frame)
  if #frame < SHORTEST then return nil, "too short" end
  local at = frame:byte(5) & MULTI_PACKET ~= 0 and 8 or 6
  local last = #frame - TAIL
  local device_id = device_of(frame, at)
  if not device_id then return nil, "no IMEI" end
  local device_type, version = string.unpack(">I2I2", frame, at + 8)
  at = at + 14 + frame:byte(at + 13)
  local messages = {}
  while at < last do
    local size, first = variable(frame, at)
    if at + size - 1 > last then break end
    -- The length counts itself.
    local message = size > 0 and read_record(frame, first, at + size - 1)
    if not message then break end
    message.device_id, message.device_type, message.protocol_version = device_id, device_type, version
    message.buffered = frame:byte(1) == 0x2d or nil
    message.count = string.format("%04X", (string.unpack(">I2", frame, #frame - 3)))
    messages[#messages + 1] = message
    at = at + size
  end
  if #messages == 0 then return nil, "no whole record" end
  return #messages > 1 and messages or messages[1]
end

local function read_heartbeat(frame)
  if #frame < 24 then return nil, "too short" end
  local device_id = device_of(frame, 4)
  if not device_id then return nil, "no IMEI" end
  local device_type, _, time, count = string.unpack(">I2I2xI4I2", frame, 12)
  return {
    type = "heartbeat", device_id = device_id, device_type = device_type, time = time,
    count = string.format("%04X", count),
  }
end

--- Decodes one frame.
function records.decode(frame)
  if frame:byte(2) == 0x10 then return read_heartbeat(frame) end
  return read_report(frame)
end

return records
