-- What follows the position in reports that have no layout of their own, and in FRI. Fields are told by their shape:
-- models and firmwares agree on their order, not on which of them are there.

local fields = require "protocols.queclink.fields"
local location = require "protocols.queclink.location"

local tail = {}

--- The index of the device status: six hexadecimal digits or more, behind the battery's percentage and at least
-- mileage, hours and an input.
function tail.find_status(v, at, last)
  for i = at + 4, last do
    local size = #v[i]
    if v[i]:find("^%x+$") and (size == 6 or size == 10 or size == 2 and fields.state({}, v[i]))
      and (v[i - 1] == "" or fields.percent(v[i - 1])) then
      return i
    end
  end
  return nil
end

--- Mileage, hours, analog inputs, battery and status; returns the index of what follows, nil without a status.
function tail.vehicle(message, v, at, last)
  local status = tail.find_status(v, at, last)
  local odometer = fields.kilometres(v[at])
  if odometer then message.odometer = odometer end
  message.engine_hours = fields.hours(v[at + 1])
  for index = 1, 3 do
    if index <= (status and status - at - 3 or 2) then fields.analog(message, index, v[at + 1 + index]) end
  end
  if not status then return nil end
  message.battery = fields.percent(v[status - 1])
  if #v[status] > 2 then fields.status(message, v[status]) else fields.state(message, v[status]) end
  return status + 1
end

--- Signal strength, error rate, light or voltage, battery, mode, motion, temperature: GL500 and its relatives.
-- Returns whether they are what stands at `at`.
function tail.signal(message, v, at, last, kind)
  if last - at < 4 or not v[at]:find("^%d?%d?$") or not v[at + 1]:find("^%d?%d?$") or not v[at + 2]:find("^%d*$")
    or not fields.percent(v[at + 3]) or not v[at + 4]:find("^[01]$") then
    return false
  end
  message.rssi, message.battery = fields.number(v[at]), fields.percent(v[at + 3])
  if kind == "LSA" then message.light = fields.number(v[at + 2]) else message.battery_voltage = fields.milli(v[at + 2]) end
  if at + 5 <= last and v[at + 5]:find("^[01]$") then message.motion = v[at + 5] == "1" end
  if at + 6 <= last and v[at + 6]:find("%.") then message.temperature = fields.number(v[at + 6]) end
  return true
end

--- One or two fields: mileage, signal strength, battery.
local function short(message, v, at, last)
  for i = at, last do
    if v[i]:find("%.") then message.odometer = fields.kilometres(v[i]) end
  end
  if last > at and v[at]:find("^%-?%d%d?$") then message.rssi = fields.number(v[at]) end
  message.battery = fields.percent(v[last])
end

--- Reads it.
function tail.read(report)
  local v, at, last, message = report.v, report.at, report.last, report.message
  if not at or at > last or tail.signal(message, v, at, last, report.kind) then return end
  at = location.appended(message, v, at, report.model)
  if at > last then return end
  if last - at < 2 then
    short(message, v, at, last)
  elseif report.kind == "FRI" or report.kind == "RTL" or report.kind == "GEO" then
    local after = tail.vehicle(message, v, at, last)
    if after then message.rpm, message.fuel = fields.number(v[after]), fields.percent(v[after + 2]) end
  end
end

return tail
