-- Positions of GT06 devices.
-- Models extend bodies without saying so; a part is read only where the length leaves no doubt.

local fields = require "protocols.gt06.fields"

local short, long = {}, {}

--- A position and its cell; `tail(message, body, at, rest)` reads the `rest` bytes behind them. `lte`: how many bytes
-- follow the position when the cell id is one byte longer than `layout` has it.
local function location(layout, tail, lte)
  return function(body, session)
    if body == "" then return nil end
    local message = { type = "location" }
    local at = fields.gps(message, body, 1, session)
    local imei = not message.time and fields.imei(body, 1)
    if imei then -- some models put their IMEI before the date
      message = { type = "location", device_id = imei }
      at = fields.gps(message, body, 9, session)
    end
    if not at then return nil, "no position" end
    at = fields.cell(message, body, at, #body - at + 1 == lte and fields.GSM_LTE or layout)
    if at and tail then tail(message, body, at, #body - at + 1) end
    return message
  end
end

--- Behind the cell of 0x12: nothing, inputs, the odometer, or the state of the vehicle.
local function classic_tail(message, body, at, rest)
  if rest == 2 then
    local inputs = string.unpack(">I2", body, at)
    message.ignition = inputs & 0x8000 ~= 0
    message.input2 = inputs & 0x4000 ~= 0
    message.adc1 = (inputs & 0x3fff) / 10
  elseif rest == 4 or rest == 10 then
    message.odometer = string.unpack(">I4", body, at)
  elseif rest == 12 then
    local status, voltage, signal, temperature, odometer = string.unpack(">BI2Bxxi2I4", body, at)
    fields.status(message, status)
    fields.signal(message, signal)
    message.voltage, message.temperature, message.odometer = voltage / 100, temperature, odometer * 10
  end
end

--- Behind the cell of Jimi's positions: ignition, why it was sent, whether it comes late, odometer.
local function jimi_tail(message, body, at, rest)
  if rest < 3 then return nil end
  local ignition, reason, late, after = string.unpack("BBB", body, at)
  message.ignition, message.upload_reason, message.archived = ignition ~= 0, reason, late ~= 0
  if rest < 7 then return after end
  message.odometer, after = string.unpack(">I4", body, after)
  return after
end

local function temperature_tail(message, body, at, rest)
  local after = jimi_tail(message, body, at, rest)
  if rest == 15 then
    local temperature, humidity = string.unpack(">i2I2", body, after + 4)
    message.temperature, message.humidity = temperature / 100, humidity / 100
  end
end

local function altitude_tail(message, body, at, rest)
  local after = jimi_tail(message, body, at, rest)
  if rest == 9 then message.altitude = string.unpack(">i2", body, after) end
end

local function voltage_tail(message, body, at, rest)
  local after = jimi_tail(message, body, at, rest)
  if rest < 10 then return end
  local voltage, battery = string.unpack(">I2B", body, after)
  message.voltage, message.battery_voltage = voltage / 100, battery / 10
end

local function items_tail(message, body, at, rest)
  if rest < 3 then return end
  jimi_tail(message, body, at, 3)
  message.odometer = fields.number(fields.items(body, at + 3, ">I2B")[0x2e], 4)
end

short[0x10] = location(fields.GSM)
short[0x11] = location(fields.LTE)
short[0x12] = location(fields.GSM, classic_tail)
short[0x2d] = location(fields.GSM, jimi_tail)
short[0x31] = location(fields.LTE, altitude_tail)
short[0x37] = location(fields.GSM, items_tail)
short[0xa0] = location(fields.LTE_WIDE, jimi_tail)
short[0x61] = location(fields.GSM_LTE, function(message, body, at, rest)
  if rest >= 6 then message.driver_id = tostring(string.unpack(">I4", body, at + 2)) end
end)

--- A position, or in shorter ones a heartbeat with items behind it.
local powered = location(fields.GSM_LTE, voltage_tail)
short[0x36] = function(body, session)
  if #body >= 27 then return powered(body, session) end
  local message = { type = "heartbeat" }
  fields.state(message, body, 1)
  local items = fields.items(body, 6, ">I2B")
  message.battery_voltage = fields.number(items[0x18], 2, 100)
  message.battery = fields.number(items[0x6a], 1) or message.battery
  return message
end

--- The XT40 and its family: a byte, the IMEI, the time of sending, the position, a cell behind its length, the
-- vehicle's state.
local function xt40(body, session)
  local message = { type = "location", device_id = fields.imei(body, 2) }
  local at = fields.gps(message, body, 16, session)
  if not at then return nil, "no position" end
  if #body < at then return message end
  local size = body:byte(at)
  fields.cell(message, body:sub(at + 1, at + size), 1, size >= 9 and fields.GSM_LTE or fields.GSM)
  at = at + 1 + size
  if #body < at + 12 then return message end
  local status, voltage, battery, signal, alarm, odometer, minutes, after =
    string.unpack(">BI2BBBxI3I3", body, at)
  fields.status(message, status)
  fields.signal(message, signal)
  fields.alarm(message, alarm)
  message.voltage, message.battery_voltage = voltage / 100, battery / 10
  message.odometer, message.engine_hours = odometer, minutes / 60
  if #body >= after + 2 then message.driver_id = mix.hex(body:sub(after + 2)) end
  return message
end

-- The byte says where the position is from; in other models it is the year, which is 10 at least.
local MAX_SOURCE = 9

local located = location(fields.GSM, temperature_tail, 24)
short[0x22] = function(body, session)
  local is_xt40 = body ~= "" and body:byte(1) <= MAX_SOURCE and fields.imei(body, 2)
  return (is_xt40 and xt40 or located)(body, session)
end
short[0x25] = short[0x22]

--- Fuel-cut trackers of the X1 family begin with four bytes of their own.
short[0x34] = function(body, session)
  local message = { type = "location" }
  local at = fields.gps(message, body, 5, session)
  if not at then return nil, "no position" end
  if #body < at + 32 then return message end
  message.odometer = string.unpack(">I4", body, at + 2)
  fields.cell(message, body, at + 6, fields.GSM_LTE)
  local voltage, battery, input, output, adc1, adc2 = string.unpack(">I2I2xxxxBBI2I2", body, at + 19)
  message.voltage, message.battery_voltage = voltage / 100, battery / 100
  message.input, message.output, message.adc1, message.adc2 = input, output, adc1 / 100, adc2 / 100
  return message
end

long[0x38] = function(body, session)
  local message = { type = "location" }
  local at = fields.gps(message, body, 1, session)
  if not at then return nil, "no position" end
  fields.cell(message, body, at + 3, fields.LTE_WIDE)
  return message
end

return { short = short, long = long, location = location }
