-- The records of Teltonika's data packets: where and when, and the elements that report everything else.
-- Each reader returns a record and the position behind it, or nil when the record is cut off.

local elements = require "protocols.teltonika.elements"
local variable = require "protocols.teltonika.variable"

local records = {}

-- A time before this is a clock that was never set (2000-01-01, in ms).
local EARLIEST = 946684800000
local MAX_COUNT = 512 -- elements of one size in a record

local function set_coordinates(message, latitude, longitude)
  -- A float that is no number fails both comparisons.
  if latitude >= -90 and latitude <= 90 and longitude >= -180 and longitude <= 180 then
    message.latitude, message.longitude = latitude, longitude
  else
    message.valid = false
  end
end

--- Time, priority and position: the 24 bytes that records of codecs 8, 8 Extended and 16 begin with.
-- Without a fix the coordinates are the last known ones.
local function read_position(frame, at)
  local ms, priority, longitude, latitude, altitude, course, satellites, speed, after =
    string.unpack(">I8Bi4i4i2I2BI2", frame, at)
  local message = {
    type = "location", priority = priority, altitude = altitude, satellites = satellites, speed = speed,
    valid = satellites ~= 0,
  }
  -- A number beyond 2^53 comes as a string, and is no time.
  if type(ms) == "number" and ms >= EARLIEST then message.time = ms / 1000 end
  if course <= 360 then message.course = course end
  set_coordinates(message, latitude / 10000000, longitude / 10000000)
  return message, after
end

--- Reads the elements of one size behind their number; returns the position behind them.
-- `count`: the format of the number, `id`: that of an element's id; `family` as in `elements.set`.
local function read_elements(message, frame, at, size, count, id, family)
  if #frame < at + string.packsize(count) - 1 then return nil end
  local number
  number, at = string.unpack(count, frame, at)
  local item = id .. "I" .. size
  if number > MAX_COUNT or #frame < at + number * string.packsize(item) - 1 then return nil end
  for _ = 1, number do
    local element, value
    element, value, at = string.unpack(item, frame, at)
    elements.set(message, size, element, value, family)
  end
  return at
end

--- Elements of 16 bytes, which some models add to codec 8.
local function read_wide_elements(message, frame, at)
  local number = frame:byte(at)
  if not number or #frame < at + 17 * number then return nil end
  for i = 0, number - 1 do
    local id, value = string.unpack("Bc16", frame, at + 1 + 17 * i)
    elements.keep(message, id, mix.hex(value))
  end
  return at + 1 + 17 * number
end

--- Elements that say how long they are: codec 8 Extended.
local function read_variable_elements(message, frame, at)
  if #frame < at + 1 then return nil end
  local number
  number, at = string.unpack(">I2", frame, at)
  if number > MAX_COUNT then return nil end
  for _ = 1, number do
    if #frame < at + 3 then return nil end
    local id, length, from = string.unpack(">I2I2", frame, at)
    if #frame < from + length - 1 then return nil end
    variable.set(message, id, frame:sub(from, from + length - 1))
    at = from + length
  end
  return at
end

--- A reader of records. `header`: the format of event, further fields and the number of all elements; `count` and
-- `id` as in `read_elements`; `extended`: elements that say their length follow.
local function reader(header, count, id, extended)
  local least = 24 + string.packsize(header)
  return function(frame, at, wide)
    if #frame < at + least - 1 then return nil end
    local message, from = read_position(frame, at)
    message.event = string.unpack(header, frame, from)
    at = at + least
    for _, size in ipairs(elements.SIZES) do
      at = at and read_elements(message, frame, at, size, count, id)
    end
    if at and wide then at = read_wide_elements(message, frame, at) end
    if at and extended then at = read_variable_elements(message, frame, at) end
    if not at then return nil end
    elements.finish(message)
    return message, at
  end
end

records.codec8 = reader(">BB", ">B", ">B")
records.codec8_extended = reader(">I2I2", ">I2", ">I2", true)
records.codec16 = reader(">I2BB", ">B", ">I2") -- with how the record came to be

-- Codec 7: seconds since 2007-01-01 in 30 bits, below the priority.
local EPOCH_2007 = 1167609600
local LOCATED, BYTES, WORDS, LONGS = 1, 2, 4, 8

--- The parts of a position of codec 7, by the bits that say which there are.
local POSITION = {
  { 1, ">ff", function(message, latitude, longitude) set_coordinates(message, latitude, longitude) end },
  { 2, ">I2", function(message, altitude) message.altitude = altitude end },
  { 4, ">B", function(message, course) message.course = course * 360 / 256 end },
  { 8, ">B", function(message, speed) message.speed = speed end },
  { 16, ">B", function(message, satellites) message.satellites = satellites end },
  { 32, ">I2I2", function(message, area, cell) message.lac, message.cell = area, cell end },
  { 64, ">B", function(message, signal) message.rssi = signal end },
  { 128, ">I4", elements.operator },
}

local function read_parts(message, frame, at)
  local mask = frame:byte(at)
  if not mask then return nil end
  at = at + 1
  message.valid = mask & 1 ~= 0
  for _, part in ipairs(POSITION) do
    local bit, format, set = part[1], part[2], part[3]
    if mask & bit ~= 0 then
      local size = string.packsize(format)
      if #frame < at + size - 1 then return nil end
      set(message, string.unpack(format, frame, at))
      at = at + size
    end
  end
  return at
end

local CODEC_7_SIZES = { { BYTES, 1 }, { WORDS, 2 }, { LONGS, 4 } }

function records.codec7(frame, at)
  if #frame < at + 4 then return nil end
  local seconds, mask = string.unpack(">I4B", frame, at)
  at = at + 5
  local message = {
    type = mask & LOCATED ~= 0 and "location" or "status", priority = seconds // 0x40000000,
    time = EPOCH_2007 + seconds % 0x40000000,
  }
  if mask & LOCATED ~= 0 then at = read_parts(message, frame, at) end
  for _, row in ipairs(CODEC_7_SIZES) do
    if at and mask & row[1] ~= 0 then
      at = read_elements(message, frame, at, row[2], ">B", ">B", elements.PERSONAL)
    end
  end
  if not at then return nil end
  elements.finish(message)
  return message, at
end

return records
