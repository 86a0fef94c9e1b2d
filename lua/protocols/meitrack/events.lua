-- Events of Meitrack devices with their position in text (AAA, AFF).

local alarms = require "protocols.meitrack.alarms"
local digits = require "utils.digits"

local DRIVER = 37
-- Protocol 3 has hundredths of a volt and of a degree.
local HUNDREDTHS = 3
-- In others the model has its own units, told apart by what a lithium battery can have: hundredths of a volt, or what
-- the converter gave in 10 or 12 bits.
local SCALES = {
  { from = 300, to = 450, battery = 1, supply = 1, full = 100 },
  { from = 500, to = 760, battery = 6, supply = 48, full = 1024 },
  { from = 1800, to = 2800, battery = 6.6, supply = 52.8, full = 4096 },
}

local function scale_of(battery, protocol)
  if protocol >= HUNDREDTHS then return SCALES[1] end
  for _, row in ipairs(SCALES) do
    if battery >= row.from and battery <= row.to then return row end
  end
end

local function read_voltages(message, battery, supply, protocol)
  local scale = battery and scale_of(battery, protocol)
  if not scale then return end
  message.battery_voltage = battery * scale.battery / scale.full
  message.voltage = supply and supply * scale.supply / scale.full
end

--- Analog inputs: three raw, battery and supply; or volts.
local function read_analog(message, text, protocol)
  local parts = mix.str_split(text, "|")
  if (parts[1] or ""):find(".", 1, true) then
    message.battery_voltage, message.voltage = digits.number(parts[1]), digits.number(parts[2])
    return
  end
  for i = 1, 3 do message["adc" .. i] = digits.hex(parts[i]) end
  read_voltages(message, digits.hex(parts[4]), digits.hex(parts[5]), protocol)
end

--- Temperatures by their sensors, each of six hexadecimal digits: sensor, degrees.
local function read_temperatures(message, text, protocol)
  for sensor, degrees in text:gmatch("(%x%x)(%x%x%x%x)") do
    local bytes = mix.unhex(degrees)
    local value
    if protocol >= HUNDREDTHS then
      value = string.unpack(">i2", bytes) / 100
    else
      local whole, hundredths = string.unpack(">i1B", bytes)
      value = whole + (whole < 0 and -0.01 or 0.01) * hundredths
    end
    message["temperature" .. tonumber(sensor, 16)] = value
  end
end

--- Country, network, area and cell; all zero where there is none.
local function read_cell(message, text)
  local mcc, mnc, lac, cell = text:match("^(%d+)|(%d+)|(%x*)|(%x*)$")
  if not mcc or tonumber(mcc) == 0 then return end
  message.mcc, message.mnc, message.lac, message.cell = tonumber(mcc), tonumber(mnc), digits.hex(lac), digits.hex(cell)
end

return function(message, content)
  local fields = mix.str_split(content, ",")
  -- Stored events have their number in the cache before.
  local at = (fields[2] or ""):find(".", 1, true) and 0 or 1
  local function field(i) return fields[at + i] or "" end
  if not field(2):find("^%-?%d+%.%d+$") or not field(3):find("^%-?%d+%.%d+$") then return nil, "no position" end

  message.event = digits.number(field(1))
  message.alarm = alarms[message.event]
  message.type = message.alarm and "alarm" or "location"
  message.valid = digits.place(message, digits.number(field(2)), digits.number(field(3))) and field(5) == "A"
  message.time = digits.time(field(4):sub(1, 6), field(4):sub(7))
  message.satellites, message.rssi = digits.number(field(6)), digits.number(field(7))
  message.speed, message.course = digits.number(field(8)), digits.course(field(9))
  message.hdop, message.altitude = digits.number(field(10)), digits.number(field(11))
  message.odometer, message.runtime = digits.number(field(12)), digits.number(field(13))
  read_cell(message, field(14))
  message.input, message.output = digits.hex(field(15):sub(1, 2)), digits.hex(field(15):sub(3, 4))
  local protocol = digits.number(field(19)) or 0
  read_analog(message, field(16), protocol)
  if field(17) ~= "" then message[message.event == DRIVER and "driver_id" or "event_data"] = field(17) end
  local whole, hundredths = field(20):match("^(%x%x)(%x%x)$")
  if whole then message.fuel = tonumber(whole, 16) + tonumber(hundredths, 16) / 100 end
  read_temperatures(message, field(21), protocol)
  if #fields >= at + 23 then message.data = table.concat(fields, ",", at + 23) end
  return message
end
