-- ERI: the position report with what a mask of eight digits adds: fuel, 1-wire and Bluetooth sensors.

local fields = require "protocols.queclink.fields"
local location = require "protocols.queclink.location"
local tail = require "protocols.queclink.tail"

-- Sensors in one report; as many fit a report of 4096 bytes.
local MAX_SENSORS = 64

--- Reads fields one after the other.
local function cursor(v, at, last)
  return function()
    at = at + 1
    return at - 1 <= last and v[at - 1] or ""
  end
end

local function skip(take, count)
  for _ = 1, count do take() end
end

local function sensors(take, read)
  local list = {}
  for i = 1, math.min(fields.number(take()) or 0, MAX_SENSORS) do list[i] = read() end
  return list
end

--- 1-wire: id, type, data; temperatures in 1/16 degree.
local function one_wire(take)
  return sensors(take, function()
    local sensor = { id = take(), type = fields.number(take()) }
    local data = take()
    if sensor.type == 1 and data:find("^%x%x%x%x$") then
      sensor.temperature = string.unpack(">i2", mix.unhex(data)) / 16
    end
    return sensor
  end)
end

-- Fields of a Bluetooth accessory by the bits of its mask.
local TAG = {
  [0] = { "name" }, [1] = { "id" }, [2] = { "status", fields.number }, [3] = { "voltage", fields.milli },
  [4] = { "temperature", fields.number }, [5] = { "humidity", fields.number }, [7] = { "io" }, [8] = { "event" },
  [9] = { "tire_pressure", fields.number }, [10] = { "time", fields.time }, [11] = { "fine_temperature", fields.number },
  [12] = { "magnet" }, [13] = { "battery", fields.percent }, [14] = { "relay" },
}

local function tags(take, model)
  return sensors(take, function()
    local tag = { index = take(), type = fields.number(take()), model = fields.number(take()) }
    skip(take, model:find("^GV600M") and 2 or 1) -- raw data, with its length
    local mask = fields.hex(take()) or 0
    for bit = 0, 14 do
      if mask & 1 << bit ~= 0 then
        local row, value = TAG[bit] or {}, take()
        if row[2] then value = row[2](value) end
        if row[1] and value and value ~= "" then tag[row[1]] = value end
      end
    end
    return tag
  end)
end

local function read_mask(message, take, mask, model)
  local function has(bit) return mask & 1 << bit ~= 0 end
  if has(0) and model ~= "GV350M" then message.fuel = fields.hex(take()) end
  if has(29) then
    skip(take, 2)
    local data = fields.hex(take()) or 0
    if data & 1 ~= 0 then message.fuel = fields.hex(take()) end
    if data & 2 ~= 0 then take() end -- its height
  end
  if has(1) then message.sensors = one_wire(take) end
  if has(2) then return end -- the vehicle bus, whose layout is CAN's without what tells its fields apart
  if has(3) or has(4) or has(0) and model == "GV350M" then
    sensors(take, function()
      take()
      if model == "GV350M" then
        take()
        if has(0) then message.fuel = fields.hex(take()) end
      end
      if has(3) then message.fuel = fields.number(take()) end
      if has(4) then message.fuel_volume = fields.number(take()) end
      if has(10) then message.fuel_temperature = fields.number(take()) end
      return true
    end)
  end
  if has(7) then
    message.serial_sensors = sensors(take, function()
      local sensor = { id = take(), type = fields.number(take()), temperature = fields.number(take()) }
      if sensor.type == 2 then sensor.humidity = fields.number(take()) end
      return sensor
    end)
  end
  if has(8) then message.tags = tags(take, model) end
end

--- GV200 has inputs and outputs where others have battery and status; returns the index of what follows.
local function gv200(message, v, at)
  message.odometer, message.engine_hours = fields.kilometres(v[at]), fields.hours(v[at + 1])
  for index = 1, 3 do fields.analog(message, index, v[at + 1 + index]) end
  message.input, message.output = fields.hex(v[at + 5]), fields.hex(v[at + 6])
  return at + 7
end

return function(report)
  local v, last, message, model = report.v, report.last, report.message, report.model
  if not report.at or report.fix < 8 then return end
  local mask = fields.hex(v[report.fix - 4]) or 0
  message.voltage = fields.milli(v[report.fix - 3])
  if tail.signal(message, v, report.at, last, "ERI") then return end
  local at = location.appended(message, v, report.at, model)
  if model == "GL320M" then
    message.odometer, message.battery = fields.kilometres(v[at]), fields.percent(v[at + 1])
    if mask & 0x80 ~= 0 then message.external_battery = fields.percent(v[at + 2]) end
    return
  end
  if model == "GV200" then at = gv200(message, v, at) else at = tail.vehicle(message, v, at, last) end
  if not at then return end
  read_mask(message, cursor(v, at + 1, last), mask, model) -- behind the type of what is on the serial port
end
