-- Binary records of Meitrack devices, little endian: CCC of one layout, CCE of parameters with their ids.

local alarms = require "protocols.meitrack.alarms"
local digits = require "utils.digits"

local binary = {}

local MAX_RECORDS = 64
--- Unix seconds of 2000-01-01, from which devices count.
local EPOCH = 946684800

--- Takes the millionths of CCE out of the message and puts degrees in, where there are both and they can be.
local function place(message, latitude, longitude)
  message.latitude, message.longitude = nil, nil
  local placed = digits.place(message, latitude and latitude / 1000000, longitude and longitude / 1000000)
  message.valid = placed and message.valid or false
end

local function finish(record, message)
  record.device_id, record.command, record.identifier = message.device_id, message.command, message.identifier
  record.alarm = alarms[record.event]
  record.type = record.alarm and "alarm" or "location"
  if record.course and record.course > 360 then record.course = nil end
  return record
end

local function read_record(bytes, at)
  local latitude, longitude, time, fix
  local record = {}
  record.event, latitude, longitude, time, fix, record.satellites, record.rssi, record.speed, record.course, record.hdop,
    record.altitude, record.odometer, record.runtime, record.mcc, record.mnc, record.lac, record.cell, record.status,
    record.adc1, record.battery_voltage, record.voltage =
    string.unpack("<Bi4i4I4BBBI2I2I2i2I4I4I2I2I2I2I2I2I2I2", bytes, at)
  record.time, record.valid, record.hdop = EPOCH + time, fix == 1, record.hdop / 10
  record.battery_voltage, record.voltage = record.battery_voltage / 100, record.voltage / 100
  place(record, latitude, longitude)
  return record
end

--- Version (2), length of a record (2), records that wait (4), records of 52 bytes or more.
function binary.CCC(message, content)
  if #content < 8 then return nil, "too short" end
  local _, size, _, at = string.unpack("<I2I2I4", content)
  if size < 52 then return nil, "records of " .. size .. " bytes" end
  local records = {}
  while at + size - 1 <= #content and #records < MAX_RECORDS do
    records[#records + 1] = finish(read_record(content, at), message)
    at = at + size
  end
  if #records == 0 then return nil, "no record" end
  return records
end

--- A parameter that is kept as it is, divided by something perhaps.
local function as(name, divisor)
  return function(record, value) record[name] = divisor and value / divisor or value end
end

-- What the parameters are, by id; those in hundreds of 0xfe begin with that byte.
local PARAMETERS = {
  [0x01] = as("event"),
  [0x02] = as("latitude"), [0x03] = as("longitude"),
  [0x04] = function(record, seconds) record.time = EPOCH + seconds end,
  [0x05] = function(record, fix) record.valid = fix > 0 end,
  [0x06] = as("satellites"), [0x07] = as("rssi"),
  [0x08] = as("speed"), [0x09] = as("course"), [0x0a] = as("hdop", 10), [0x0b] = as("altitude"),
  [0x0c] = as("odometer"), [0x0d] = as("runtime"),
  [0x14] = as("output"), [0x15] = as("input"),
  [0x16] = as("adc1", 100), [0x17] = as("adc2", 100), [0x18] = as("adc3", 100),
  [0x19] = as("battery_voltage", 100), [0x1a] = as("voltage", 100),
  [0x40] = as("event"),
  [0x47] = function(record, state) if state > 0 then record.lock = state == 2 end end,
  [0x91] = as("obd_speed"), [0x92] = as("obd_speed"), [0x97] = as("throttle"), [0x98] = as("fuel_used"),
  [0x99] = as("rpm"), [0x9b] = as("obd_odometer"), [0x9c] = as("coolant_temperature"), [0x9d] = as("fuel"),
  [0x9f] = as("intake_temperature"), [0xa0] = as("fuel_used", 1000), [0xa2] = as("fuel_consumption", 100),
  [0xc9] = as("fuel_consumption"),
  [0xfe69] = as("battery"),
  -- Minutes of the engine.
  [0xfef4] = as("engine_hours", 60),
}

-- Signed parameters, and the formats by size.
local IS_SIGNED = { [0x02] = true, [0x03] = true, [0x0b] = true, [0x9c] = true, [0x9f] = true }
local SIGNED, UNSIGNED = { "<i1", "<i2", [4] = "<i4" }, { "<I1", "<I2", [4] = "<I4" }

-- Parameters with a length of their own, by id.
local LONG = {}

LONG[0x0e] = function(record, value)
  if #value < 10 then return end
  local mcc, mnc, lac, cell = string.unpack("<I2I2I2I4", value)
  if mcc == 0 then return end
  record.mcc, record.mnc, record.lac, record.cell = mcc, mnc, lac, cell
  if #value >= 12 then record.cell_rssi = string.unpack("<i2", value, 11) end
end

local function wifi(record, value)
  if #value < 8 then return end
  record.wifi = record.wifi or {}
  record.wifi[#record.wifi + 1] = { mac = mix.hex(value:sub(1, 6)), rssi = string.unpack("<i2", value, 7) }
end
for id = 0x1d, 0x24 do LONG[id] = wifi end

for id = 0x2a, 0x31 do
  LONG[id] = function(record, value)
    if #value >= 3 then record["temperature" .. (id - 0x2a)] = string.unpack("<i2", value, 2) / 100 end
  end
end

--- The network: version, kind, length, name.
LONG[0x4b] = function(record, value) record.network = value:sub(4) end

--- A driver's alarm: version, kind, the file that was recorded, which the device keeps in a folder for each day.
LONG[0xfe31] = function(record, value)
  if #value < 2 then return end
  record.alarm_type = value:byte(2)
  local name = value:sub(3)
  local year, month, day = name:match("^(%d%d%d%d)(%d%d)(%d%d)%d%d%d%d%d%d_")
  if year then record.image = string.format("%s-%s-%s/%s", year, month, day, name) end
end

--- A tag nearby: version, name, address, battery, temperature and humidity in 1/256.
LONG[0xfe73] = function(record, value)
  local size = value:byte(2)
  if not size or #value < size + 13 then return end
  local address, battery, temperature, humidity = string.unpack("<c6Bi2i2", value, size + 3)
  record.tag = {
    name = value:sub(3, size + 2), mac = mix.hex(address), battery = battery, temperature = temperature / 256,
    humidity = humidity / 256,
  }
end

--- Three batteries, whether each is there and its per cent.
LONG[0xfea8] = function(record, value)
  for i = 1, math.min(3, #value // 2) do
    local there, level = value:byte(2 * i - 1, 2 * i)
    if there > 0 and level <= 100 then record[i == 1 and "battery" or "battery" .. i] = level end
  end
end

--- One parameter of `size` bytes (0: its length stands before); returns where the next one is, nil where bytes are
-- missing.
local function read_parameter(record, bytes, at, size)
  local id = bytes:byte(at)
  if id == 0xfe and #bytes > at then
    at = at + 1
    id = id << 8 | bytes:byte(at)
  end
  at = at + 1
  local length = size
  if size == 0 then
    length, at = bytes:byte(at), at + 1
  end
  if not id or not length or at + length - 1 > #bytes then return nil end
  if size == 0 then
    local read = LONG[id]
    if read then read(record, bytes:sub(at, at + length - 1)) end
  else
    local read = PARAMETERS[id]
    if read then read(record, (string.unpack((IS_SIGNED[id] and SIGNED or UNSIGNED)[size], bytes, at))) end
  end
  return at + length
end

--- Parameters of 1, 2 and 4 bytes and of others, each kind with its number before.
local function read_parameters(record, bytes)
  local at = 1
  for _, size in ipairs { 1, 2, 4, 0 } do
    local count = bytes:byte(at)
    if not count then return end
    at = at + 1
    for _ = 1, count do
      at = read_parameter(record, bytes, at, size)
      if not at then return end
    end
  end
end

--- Records that wait (4), records here (2); each: length (2), number of parameters (2), parameters.
function binary.CCE(message, content)
  if #content < 6 then return nil, "too short" end
  local _, count, at = string.unpack("<I4I2", content)
  local records = {}
  for _ = 1, math.min(count, MAX_RECORDS) do
    if at + 3 > #content then break end
    local length = string.unpack("<I2", content, at)
    if length < 2 or at + 1 + length > #content then break end
    local record = {}
    read_parameters(record, content:sub(at + 4, at + 1 + length))
    place(record, record.latitude, record.longitude)
    records[#records + 1] = finish(record, message)
    at = at + 2 + length
  end
  if #records == 0 then return nil, "no record" end
  return records
end

return binary
