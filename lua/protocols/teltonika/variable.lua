-- Elements of Codec 8 Extended that say their length: texts and lists of Bluetooth devices.

local elements = require "protocols.teltonika.elements"

local variable = {}

--- Beacons as "beacon list" (385) has them: flags, id, and by the flags signal, battery and temperature.
local HAS_SIGNAL, HAS_BATTERY, HAS_TEMPERATURE, NO_EDDYSTONE = 1, 2, 4, 0xf0

local function read_beacons(message, data)
  local beacons, at = {}, 2 -- which part of the list this is comes first
  while at <= #data do
    local flags = data:byte(at)
    local is_ibeacon = flags & NO_EDDYSTONE ~= 0
    local format = (is_ibeacon and ">c16I2I2" or ">c10c6") .. (flags & HAS_SIGNAL ~= 0 and "i1" or "")
    local size = string.packsize(format) + (flags & HAS_BATTERY ~= 0 and 2 or 0) +
      (flags & HAS_TEMPERATURE ~= 0 and 2 or 0)
    if #data < at + size then break end
    local beacon, after
    if is_ibeacon then
      local uuid, major, minor
      uuid, major, minor, after = string.unpack(">c16I2I2", data, at + 1)
      beacon = { uuid = mix.hex(uuid), major = major, minor = minor }
    else
      local namespace, instance
      namespace, instance, after = string.unpack("c10c6", data, at + 1)
      beacon = { namespace = mix.hex(namespace), instance = mix.hex(instance) }
    end
    if flags & HAS_SIGNAL ~= 0 then beacon.rssi, after = string.unpack("i1", data, after) end
    if flags & HAS_BATTERY ~= 0 then
      local battery
      battery, after = string.unpack(">I2", data, after)
      beacon.battery_voltage = battery / 100
    end
    if flags & HAS_TEMPERATURE ~= 0 then beacon.temperature = string.unpack(">i2", data, after) end
    beacons[#beacons + 1] = beacon
    at = at + 1 + size
  end
  message.beacons = beacons
end

--- What a Bluetooth tag tells, by parameter: format, and how it goes into the tag.
local TAG = {
  [0] = { "i1", function(tag, value) tag.rssi = value end },
  [6] = { ">i2", function(tag, value) tag.temperature = value / 100 end },
  [7] = { "B", function(tag, value) tag.humidity = value end },
  [8] = { "B", function(tag, value) tag.magnet = value ~= 0 end },
  [9] = { "B", function(tag, value) tag.motion = value ~= 0 end },
  [10] = { ">I2", function(tag, value) tag.motion_count = value end },
  [11] = { "i1", function(tag, value) tag.pitch = value end },
  [12] = { ">i2", function(tag, value) tag.roll = value end },
  [13] = { "B", function(tag, value) tag.low_battery = value ~= 0 end },
  [14] = { ">I2", function(tag, value) tag.battery_voltage = value / 1000 end },
}
local ID, STATE, NAME, MAC = 1, 2, 5, 15
local LOW_BATTERY, HAS_VOLTAGE = 0x40, 0x80

local function read_tag_parameter(tag, id, data)
  local row = TAG[id]
  if row then
    if #data >= string.packsize(row[1]) then row[2](tag, (string.unpack(row[1], data))) end
  elseif id == ID then
    tag.id = mix.hex(data)
  elseif id == NAME then
    tag.name = data
  elseif id == MAC then
    tag.mac = mix.hex(data)
  elseif id == STATE and #data >= 1 then
    local flags, voltage = data:byte(1, 2)
    tag.low_battery = flags & LOW_BATTERY ~= 0
    if flags & HAS_VOLTAGE ~= 0 and voltage then tag.battery_voltage = (2000 + 10 * voltage) / 1000 end
  end
end

--- Tags, each behind its length: parameters of an id, a length and a value.
local function read_tags(message, data)
  local tags, at = message.tags or {}, 2 -- a header comes first
  while at <= #data do
    local last = at + data:byte(at)
    if last > #data then break end
    local tag = {}
    at = at + 1
    while at < last do
      local id, length = data:byte(at, at + 1)
      if at + 1 + length > last then break end
      read_tag_parameter(tag, id, data:sub(at + 2, at + 1 + length))
      at = at + 2 + length
    end
    tags[#tags + 1] = tag
    at = last + 1
  end
  message.tags = tags
end

local function text(name)
  return function(message, data)
    local value = data:match("^[ -~]+")
    if value then message[name] = value end
  end
end

local ROWS = {
  [256] = text "vin", [325] = text "vin",
  [281] = function(message, data)
    message.dtcs = data ~= "" and mix.str_split(data, ",") or nil
  end,
  [385] = read_beacons,
  [548] = read_tags, [10828] = read_tags, [10829] = read_tags, [10831] = read_tags, [11317] = read_tags,
}

--- Puts an element into a message; unknown ones as hexadecimal digits into `io`.
function variable.set(message, id, data)
  local row = ROWS[id]
  if row then row(message, data) else elements.keep(message, id, mix.hex(data)) end
end

return variable
