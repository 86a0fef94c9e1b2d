-- What a vehicle's diagnostics tell, in the forms that vendors of JT/T 808 devices send them.

local fields = require "protocols.jt808.fields"

local number, shifted = fields.number, fields.shifted

local obd = {}

--- A position of a pedal or load, 0 to 255, in per cent.
local function fraction(name, size)
  return function(message, value)
    if #value >= size then message[name] = string.unpack(">I" .. size, value) * 100 // 255 end
  end
end

--- Metres, of which each step is several.
local function distance(name, size, step)
  return function(message, value)
    if #value >= size then message[name] = string.unpack(">I" .. size, value) * step end
  end
end

local function codes(message, value)
  local list = {}
  for code in value:gmatch("[%w%-]+") do list[#list + 1] = code end
  message.dtcs = #list > 0 and list or nil
end

--- Items behind a position.
obd.items = {
  [0x81] = number("rpm", 2),
  [0x82] = number("voltage", 2, 10),
  [0x83] = number("engine_load", 1),
  [0x84] = shifted("coolant_temperature", 1, 40),
  [0x85] = number("fuel_consumption", 2),
  [0x86] = shifted("intake_temperature", 1, 40),
  [0x87] = number("intake_flow", 2),
  [0x88] = number("intake_pressure", 1),
  [0x89] = number("throttle", 1),
  [0x8b] = fields.string "vin",
  [0x8c] = distance("obd_odometer", 4, 100),
  [0x8d] = distance("trip_odometer", 2, 1000),
  [0x8e] = number("fuel", 1, 1, 100),
  [0x91] = function(message, value)
    if #value < 12 then return end
    local voltage, rpm, speed, throttle, load, coolant, consumption =
      string.unpack(">I2I2BBBBxxI2", value)
    message.voltage, message.rpm, message.obd_speed = voltage / 10, rpm, speed
    message.throttle, message.engine_load = throttle * 100 // 255, load * 100 // 255
    message.coolant_temperature, message.fuel_consumption = coolant - 40, consumption / 100
    if #value >= 22 then message.fuel_used = string.unpack(">I2", value, 21) / 100 end
  end,
  [0x94] = fields.string "vin",
  [0xa0] = codes,
}

--- Items of the list in F3.
local LIST = {
  [0x0002] = number("obd_speed", 2, 10), [0x0003] = number("rpm", 2), [0x0004] = number("voltage", 2, 1000),
  [0x0005] = distance("obd_odometer", 4, 100), [0x0007] = number("fuel_consumption", 2, 10),
  [0x0008] = number("engine_load", 2, 10), [0x0009] = shifted("coolant_temperature", 2, 40),
  [0x000b] = number("intake_pressure", 2), [0x000c] = shifted("intake_temperature", 2, 40),
  [0x000d] = number("intake_flow", 2), [0x000e] = fraction("throttle", 2),
  [0x0050] = fields.string "vin", [0x0052] = fields.string "calibration_id",
  [0x0100] = distance("trip_odometer", 2, 100), [0x0102] = number("trip_fuel", 2, 10),
  [0x0112] = number("hard_accelerations", 2), [0x0113] = number("hard_brakings", 2),
  [0x0114] = number("hard_cornerings", 2),
}

--- Ids of two bytes, lengths of one.
function obd.list(message, value)
  fields.items(value, 1, ">I2B", function(id, content)
    local row = LIST[id]
    if row then row(message, content) end
  end)
end

-- What stands between the commas of "$OBD-RT,…"; the second consumption, the average, counts.
local SENTENCE = {
  "voltage", "rpm", "obd_speed", "throttle", "engine_load", "coolant_temperature", "fuel_consumption",
  "fuel_consumption", "trip_odometer", "obd_odometer", "trip_fuel", "fuel_used",
}

--- Reads a sentence "$OBD-RT,…".
function obd.sentence(message, text)
  for i, part in ipairs(mix.str_split(text, ",")) do
    local name = SENTENCE[i - 1]
    local value = tonumber(part:match("^%s*(%-?%d+%.?%d*)%s*$"))
    if name and value then message[name] = value end
  end
end

--- Items of a report of type F0 in transparent data (0900): ids of two bytes, lengths of one.
obd.report = {
  [0x0102] = distance("odometer", 4, 100), [0x0528] = distance("odometer", 4, 100),
  [0x0546] = distance("odometer", 4, 100),
  [0x0103] = number("fuel", 4, 100), [0x052a] = number("fuel", 2, 100), [0x052b] = number("fuel", 1),
  [0x0111] = shifted("fuel_temperature", 1, 40), [0x012e] = number("oil_level", 2, 10),
  [0x0105] = number("fuel_used", 4, 100), [0x052c] = number("fuel_used", 4, 100),
  [0x014a] = number("fuel_consumption", 2, 100), [0x0537] = number("fuel_consumption", 2, 100),
  [0x0538] = number("fuel_consumption", 2, 100), [0x0539] = number("fuel_consumption", 2, 100),
  [0x052d] = shifted("coolant_temperature", 1, 40), [0x052e] = shifted("air_temperature", 1, 40),
  [0x0530] = number("voltage", 2, 1000), [0x0535] = number("obd_speed", 2, 10), [0x0536] = number("rpm", 2),
  [0x053d] = number("intake_pressure", 2, 10), [0x0544] = number("liquid_level", 1),
  [0x0547] = number("throttle", 1), [0x0548] = number("throttle", 1),
  [0xfeec] = fields.string "vin",
}

return obd
