-- Items of vendors that hold what sensors measured.

local fields = require "protocols.jt808.fields"

local sensors = {}

--- Reads the parts of `data` from `at` on whose bits are set in `mask`. A layout is a list of bit, format and what
-- puts the values into `target`; what is cut off ends it. Returns the position behind.
local function read_parts(layout, mask, data, at, target)
  for _, part in ipairs(layout) do
    local bit, format, set = part[1], part[2], part[3]
    if mask & bit ~= 0 then
      local size = string.packsize(format)
      if #data < at + size - 1 then return #data + 1 end
      if set then set(target, string.unpack(format, data, at)) end
      at = at + size
    end
  end
  return at
end

local function tenth(name)
  return function(target, value) target[name] = value / 10 end
end

local function plain(name)
  return function(target, value) target[name] = value end
end

local function axes(name)
  return function(target, x, y, z) target[name] = { x = x, y = y, z = z } end
end

-- F3 of AOVX: Bluetooth tags by a mask, behind MAC and signal.
local TAG = {
  { 1, "c10", function(tag, name) tag.name = fields.text(name) end },
  { 2, "c2" },
  { 4, ">I2", function(tag, value) tag.battery_voltage = value / 1000 end },
  { 8, ">i2", tenth "temperature" },
  { 16, ">i2", tenth "humidity" },
  { 32, "c6" }, { 64, "c2" }, { 128, "c2" },
}

function sensors.tags(message, value)
  local tags, at = {}, 2
  local mask = value:byte(1)
  while mask and #value >= at + 6 do
    local tag = { mac = mix.hex(value:sub(at, at + 5)), rssi = (string.unpack("i1", value, at + 6)) }
    at = read_parts(TAG, mask, value, at + 7, tag)
    tags[#tags + 1] = tag
  end
  message.tags = tags
end

-- F6 of AOVX: an event, then by a mask what was measured.
local MEASURED_AT_EVENT = {
  { 1, ">I2", plain "light" },
  { 2, ">i2", tenth "temperature1" },
  { 4, ">i2", tenth "humidity" },
  { 8, ">i2i2i2", axes "acceleration" },
  { 16, "c10" },
  { 32, ">I2", plain "air_pressure" },
}
local MOVED = 2

function sensors.event(message, value)
  if #value < 2 then return end
  message.event = value:byte(1)
  if message.event == MOVED then message.motion = true end
  read_parts(MEASURED_AT_EVENT, value:byte(2), value, 3, message)
end

-- F9 of AOVX.
local MEASURED = {
  { 1, "c4" }, { 2, "c4" },
  { 4, ">I2", tenth "hdop" },
  { 8, "c6" }, { 32, "c8" },
  { 64, ">i2", tenth "temperature3" },
}

function sensors.measured(message, value)
  if #value < 2 then return end
  read_parts(MEASURED, string.unpack(">I2", value), value, 3, message)
end

-- 0900, type 54: what was sampled, by a mask.
local SAMPLE = {
  { 1, ">I2", plain "light" },
  { 2, ">i2i2", function(sample, temperature, humidity)
    sample.temperature, sample.humidity = temperature / 10, humidity / 10
  end },
  { 4, ">i2", tenth "external_temperature" },
  { 8, ">i2i2i2", axes "acceleration" },
  { 16, ">I2", plain "air_pressure" },
}

--- Samples from `at` on: mask, time, measured.
function sensors.samples(body, at)
  local list = {}
  while #body >= at + 7 do
    local mask = string.unpack(">I2", body, at)
    local sample = { time = fields.time(body, at + 2) }
    at = read_parts(SAMPLE, mask, body, at + 8, sample)
    list[#list + 1] = sample
  end
  return list
end

-- EA: alarms and surroundings, by ids behind a first byte.
local EXTERNAL = {
  [0x11] = fields.number("external_alarms", 2),
  [0x13] = fields.number("illuminance", 2),
  [0x14] = fields.number("air_pressure", 2),
  [0x15] = fields.number("humidity", 2, 10),
  [0x16] = fields.shifted("temperature", 2, 50, 10),
}

function sensors.external(message, value)
  if #value <= 2 then return end
  fields.items(value, 2, "BB", function(id, content)
    local row = EXTERNAL[id]
    if row then row(message, content) end
  end)
end

--- A whole number with its sign, and 255ths.
local function fraction(whole, part)
  return whole < 0 and whole - part / 255 or whole + part / 255
end

--- E6: probes of temperature and humidity, 11 bytes each.
function sensors.probes(message, value)
  if #value % 11 ~= 0 then return end
  local list = {}
  for at = 1, #value, 11 do
    local index, mac, temperature, t, humidity, h = string.unpack("Bc6i1Bi1B", value, at)
    list[#list + 1] = {
      index = index, mac = mix.hex(mac), temperature = fraction(temperature, t), humidity = fraction(humidity, h),
    }
  end
  message.probes = list
end

return sensors
