-- The items behind a position: the standard's (JT/T 808-2019, table 27; JT/T 1078 for video) and those of vendors.
-- A row by the item's id takes the message, the value and `context`, which lasts for one position.

local fields = require "protocols.jt808.fields"
local obd = require "protocols.jt808.obd"
local vendors = require "protocols.jt808.vendors"

local number = fields.number

--- A row that depends on how long the value is; other lengths say nothing.
local function by_length(rows)
  return function(message, value, context)
    local row = rows[#value]
    if row then row(message, value, context) end
  end
end

local function odometer(message, value)
  if #value >= 4 then message.odometer = string.unpack(">I4", value) * 100 end
end

--- Litres in tenths; with the top bit set the sensor's own number.
local function fuel(message, value)
  if #value < 2 then return end
  local level = string.unpack(">I2", value)
  message.fuel = level & 0x8000 ~= 0 and level & 0x7fff or level / 10
end

--- A number in a word whose top bit is the sign.
local function sign_and_magnitude(word)
  return word & 0x8000 ~= 0 and 0 - (word & 0x7fff) or word
end

--- Temperatures in tenths, up to eight.
local function temperatures(message, value)
  for i = 1, #value // 2 do
    local word = string.unpack(">I2", value, 2 * i - 1)
    if word ~= 0xffff then message["temperature" .. i] = sign_and_magnitude(word) / 10 end
  end
end

local function analog(message, value)
  if #value < 4 then return end
  local first, second = string.unpack(">I2I2", value)
  message.adc1, message.adc2 = first / 100, second / 100
end

--- Where a limit of speed or an area or route was met: kind, id, and whether it was left.
local function area(name)
  return function(message, value)
    if #value < 6 then return end
    local _, id, direction = string.unpack(">BI4B", value)
    message[name] = id
    fields.alarm(message, direction == 0 and "geofence_enter" or "geofence_exit")
  end
end

--- What driver assistance (64) and driver monitoring (65) saw; the label names the files that show it.
local function assistance(name)
  return function(message, value)
    if #value < 6 then return end
    message[name] = value:byte(6)
    if #value >= 47 then message.alarm_label = mix.hex(value:sub(-16)) end
  end
end

local rows = {
  [0x01] = odometer,
  [0x02] = fuel,
  [0x03] = number("recorder_speed", 2, 10),
  [0x04] = number("alarm_event", 2),
  [0x06] = by_length {
    number("battery", 1, 1, 100),
    function(message, value) message.temperature = sign_and_magnitude(string.unpack(">I2", value)) end,
  },
  [0x11] = function(message, value)
    if #value >= 5 then message.geofence = string.unpack(">I4", value, 2) end
  end,
  [0x12] = area "geofence",
  [0x14] = number("video_alarm", 4),
  [0x15] = number("video_lost", 4),
  [0x16] = number("video_covered", 4),
  [0x17] = number("storage_fault", 2),
  [0x18] = number("driving_alarm", 2),
  [0x25] = number("vehicle_signals", 4),
  [0x2a] = number("io_status", 2),
  [0x2b] = analog,
  [0x30] = number("rssi", 1),
  [0x31] = number("satellites", 1),
  [0x51] = by_length { [2] = temperatures, [16] = temperatures },
  [0x64] = assistance "adas_alarm",
  [0x65] = assistance "dms_alarm",
  [0x69] = number("battery_voltage", 2, 100),
  [0xa7] = analog,
}
for id, row in pairs(obd.items) do rows[id] = row end
for id, row in pairs(vendors) do rows[id] = row end

-- Behind an item 80 of one byte, a few ids mean what the vehicle's diagnostics say.
local extended = {
  [0x02] = number("fuel", 2, 10),
  [0x03] = number("obd_speed", 2, 10),
  [0x56] = function(message, value)
    if #value >= 2 and value:byte(2) <= 100 then message.battery = value:byte(2) end
  end,
  [0x61] = number("voltage", 2, 100),
  [0x80] = number("obd_speed", 1),
  [0xcc] = fields.string "iccid",
}

--- Reads one item; unknown ones are left out.
return function(message, id, value, context)
  if id == 0x80 and not context.extended then
    context.extended = true
    return
  end
  local row = context.extended and extended[id] or rows[id]
  if row then row(message, value, context) end
end
