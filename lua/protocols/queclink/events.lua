-- Reports of events, and of positions with something of their own.

local fields = require "protocols.queclink.fields"
local location = require "protocols.queclink.location"
local tail = require "protocols.queclink.tail"

local events = {}

--- The report type of most kinds: two digits, the second says which of two or more cases it is.
local function case_of(report)
  local digits = report.v[6]
  return digits:find("^%x%x?$") and tonumber(digits, 16) or nil
end

--- The position's tail, and what `read` makes of the report type.
local function by_case(read)
  return function(report)
    tail.read(report)
    local case = case_of(report)
    if case then read(report.message, case & 15, case >> 4, report.v) end
  end
end

events.FRI = function(report)
  tail.read(report)
  local v, fix, message = report.v, report.fix, report.message
  if not fix then return end
  local vin = v[4]
  if #vin == 17 and vin:find("^[0-9A-Z]+$") then message.vin = vin end
  if report.model == "GT501" then
    local case = fields.number(v[fix - 4])
    if case then message.motion, message.charging = case & 1 ~= 0, case & 2 ~= 0 end
  elseif fix > 7 then
    local voltage = fields.milli(v[fix - 3])
    if voltage and voltage >= 1 and voltage < 100 then message.voltage = voltage end -- smaller: a report's id
  end
end

events.GEO = by_case(function(message, case)
  if case <= 1 then message.alarm = case == 0 and "geofence_exit" or "geofence_enter" end
end)
events.NMR = by_case(function(message, case) message.motion = case == 1 end)
events.IGL = by_case(function(message, case) message.ignition = case == 0 end)
events.DIS = by_case(function(message, case, input, v)
  if input == 0 then input = fields.number(v[5]) end
  if input and input < 16 then message["in" .. string.format("%d", input)] = case == 1 end
end)

local DRIVING = {
  [0] = "hard_braking", "hard_acceleration", "hard_cornering", "hard_braking", "hard_acceleration", "hard_cornering",
}
events.HBM = by_case(function(message, case) message.alarm = DRIVING[case] end)

--- Where the device began or stopped to move; GL500 tells its battery before the position.
local function with_battery(report)
  tail.read(report)
  if report.model:find("^GL5[03]0") and report.fix == 10 then report.message.battery = fields.percent(report.v[9]) end
end
events.STR, events.CTN = with_battery, with_battery

local function ignition(on)
  return function(report)
    local v, message = report.v, report.message
    message.ignition = on
    if not report.at then return end
    message.duration = fields.number(v[report.fix - 1])
    local at = location.appended(message, v, report.at, report.model)
    message.engine_hours = fields.hours(v[at])
    if at < report.last then message.odometer = fields.kilometres(v[at + 1]) end
  end
end
events.IGN, events.VGN = ignition(true), ignition(true)
events.IGF, events.VGF = ignition(false), ignition(false)

local function input(name)
  return function(report)
    tail.read(report)
    if report.v[6]:find("^[01]$") then report.message[name] = report.v[6] == "1" end
  end
end
events.LSW, events.TSW = input("in1"), input("in2")

--- The card or key a driver identified himself with.
events.IDA = function(report)
  local v, message = report.v, report.message
  if not report.at then return end
  local id = v[report.fix - 3]
  if id ~= "" and report.fix > 7 then message.driver_id = id end
  local at = location.appended(message, v, report.at, report.model)
  if v[at]:find("%.") then message.odometer = fields.kilometres(v[at]) end
end

events.DAR = function(report)
  local v, message = report.v, report.message
  message.warning_type = fields.number(v[5])
  if v[5] == "1" then message.alarm, message.fatigue_degree = "fatigue_driving", fields.number(v[6]) end
end

--- What a serial port received, commas included.
events.DAT = function(report)
  report.message.data = table.concat(report.v, ",", 8, report.fix and report.fix - 1 or report.last)
end

--- The same in hexadecimal digits, behind their number.
events.DTT = function(report)
  local v, message = report.v, report.message
  local bytes
  for i = 7, report.last do
    if fields.number(v[i - 1]) and #v[i] == 2 * fields.number(v[i - 1]) then bytes = mix.unhex(v[i]) end
  end
  if not bytes then return end
  message.data_hex = mix.hex(bytes)
  message.fuel = tonumber(bytes:match("COMB,[^,]*,([%d.]+)")) -- Escort's level sensors
end

--- The accessory's fields that a mask of four digits at `at` announces.
local function accessory(message, v, at, names)
  local mask = #v[at] == 4 and fields.hex(v[at])
  if not mask then return end
  for bit = 0, 15 do
    if mask & 1 << bit ~= 0 then
      at = at + 1
      local row = names[bit]
      if row then message[row[1]] = row[2](v[at]) end
    end
  end
end

local function same(text) return text end
local ACCESSORY = {
  [0] = { "accessory_name", same }, [1] = { "accessory_mac", same }, [2] = { "accessory_status", fields.number },
  [3] = { "accessory_voltage", fields.milli }, [4] = { "accessory_temperature", fields.number },
  [5] = { "accessory_humidity", fields.number },
}
events.BAA = function(report)
  report.message.accessory_alarm = fields.hex(report.v[8])
  accessory(report.message, report.v, 9, ACCESSORY)
end
events.BID = function(report)
  accessory(report.message, report.v, 7, { [1] = ACCESSORY[1], [3] = ACCESSORY[3] })
end

--- Diagnostics of the vehicle's bus, behind the VIN that precedes the name.
events.OBD = function(report)
  local v, message = report.v, report.message
  if #v[8] == 17 then message.vin = v[8] end
  message.obd_voltage = fields.milli(v[10])
  message.rpm, message.obd_speed = fields.number(v[12]), fields.number(v[13])
  message.coolant_temperature, message.fuel_consumption = fields.number(v[14]), fields.number(v[15])
  message.dtcs_cleared_distance, message.dtcs = fields.number(v[16]), fields.number(v[19])
  if v[20] ~= "" then message.dtc_codes = v[20] end
  message.throttle, message.engine_load, message.fuel = fields.number(v[21]), fields.number(v[22]), fields.number(v[23])
  if report.fix and report.fix > 24 then message.obd_odometer = fields.kilometres(v[report.fix - 1]) end
  if report.at then
    local at = location.appended(message, v, report.at, report.model)
    if at <= report.last then message.odometer = fields.kilometres(v[at]) end
  end
end

return events
