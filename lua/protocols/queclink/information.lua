-- Reports about the device itself, and of the cells and access points around it.

local fields = require "protocols.queclink.fields"

local information = {}

--- Percentage and temperature of the GL models, behind the time of the last fix.
local function battery_of_asset(message, v, at, last)
  for i = at, last - 1 do
    if #v[i] == 14 and fields.time(v[i]) then
      message.battery = fields.percent(v[i + 1])
      if i + 3 <= last then message.temperature = fields.number(v[i + 3]) end
      return
    end
  end
end

information.INF = function(report)
  local v, message, model = report.v, report.message, report.model
  fields.state(message, v[5])
  if v[6] ~= "" then message.iccid = v[6] end
  message.rssi, message.external_power = fields.number(v[7]), fields.number(v[9])
  local at = 10
  for i = 10, 11 do
    if fields.is_mac(v[i]) then -- a Bluetooth sensor
      message.temperature, message.humidity = fields.number(v[i + 1]), fields.number(v[i + 2])
      at = i + 3
    end
  end
  if v[at]:find("%.") then message.odometer = fields.kilometres(v[at]) else message.voltage = fields.milli(v[at]) end
  at = at + 1
  if model == "GV350M" or model == "GV310LAU" then
    at = at + 1 -- a mask, or the kind of network
  elseif model ~= "GV500VC" then
    message.voltage2 = fields.milli(v[at])
    at = at + 1
  end
  message.battery_voltage = fields.number(v[at])
  if v[at + 1] == "1" then message.charging = true end
  if model == "GV310LAU" then
    for index = 1, 3 do message["adc" .. index] = fields.milli(v[at + 6 + index]) end
  elseif model:find("^GL") then
    battery_of_asset(message, v, at, report.last)
  end
end

information.VER = function(report)
  local v, message = report.v, report.message
  message.device_type, message.firmware, message.hardware = v[5], fields.hex(v[6]), fields.hex(v[7])
end

information.CID = function(report) report.message.iccid = report.v[5] end

information.CSQ = function(report) report.message.rssi = fields.number(report.v[5]) end

information.BAT = function(report)
  local v, message = report.v, report.message
  message.external_power, message.battery = fields.number(v[5]), fields.percent(v[7])
  message.battery_voltage = fields.number(v[8])
end

--- Cells of six fields each from `at` on: the cell, its signal, one reserved.
local function cells(report, at)
  local list = {}
  while at + 4 <= report.last do
    local cell = fields.cell(report.v, at)
    if cell then
      cell.rssi = fields.number(report.v[at + 4])
      list[#list + 1] = cell
    end
    at = at + 6
  end
  report.message.cells = list
end

information.GSM = function(report)
  report.message.fix_type = report.v[4]
  cells(report, 5)
end

information.LBS = function(report)
  report.message.battery = fields.percent(report.v[7])
  cells(report, 13)
end

information.WIF = function(report)
  local v, wifi = report.v, {}
  local at = 6
  while at <= report.last and fields.is_mac(v[at]) do
    wifi[#wifi + 1] = { mac = v[at]:lower(), rssi = fields.number(v[at + 1]) }
    at = at + 5
  end
  report.message.wifi, report.message.battery = wifi, fields.percent(v[report.last])
end

return information
