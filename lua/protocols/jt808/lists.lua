-- Items of vendors that hold items of their own.

local fields = require "protocols.jt808.fields"

local number = fields.number

local lists = {}

--- EB, where the length (2) counts the id (2) behind it.
local EXTENDED = {
  [0x0001] = number("fuel1", 2, 10),
  [0x0023] = function(message, value) message.fuel2 = tonumber(value:match("^%d+%.?%d*")) end,
  [0x002d] = function(message, value)
    if #value == 4 then message.voltage = string.unpack(">I4", value) / 1000
    elseif #value >= 2 then message.battery_voltage = string.unpack(">I2", value) / 1000 end
  end,
  [0x0089] = function(message, value) -- what is not so raises an alarm
    if #value < 4 then return end
    local bits = string.unpack(">I4", value)
    if bits & 1 == 0 then fields.alarm(message, "power_off") end
    if bits & 0x1000 == 0 then fields.alarm(message, "removing") end
  end,
  [0x00a8] = number("battery", 1, 1, 100),
  [0x00b2] = function(message, value) message.iccid = fields.iccid(value) end,
  [0x00b9] = function(message, value) -- how many, then "mac,signal,mac,signal,…"
    for mac, signal in value:sub(2):gmatch("([%x:]+),(%-?%d+)") do
      fields.wifi(message, mac:gsub(":", ""):lower(), tonumber(signal))
    end
  end,
  [0x00c5] = function(message, value)
    if #value < 4 then return end
    local bits = string.unpack(">I4", value)
    if bits & 0x40 == 0 then fields.alarm(message, "vibration") end
    local motion = bits >> 23 & 3
    if motion < 2 then message.motion = motion == 0 end
  end,
  [0x00c6] = function(message, value)
    if #value < 1 then return end
    message.battery_alarm = value:byte()
    if message.battery_alarm == 3 or message.battery_alarm == 4 then fields.alarm(message, "low_battery") end
  end,
  [0x00ce] = number("voltage", 2, 100),
  [0x00d5] = function(message, value) message.imei = value:match("^%d+$") end,
  [0x00d8] = function(message, value)
    if #value < 9 then return end
    local mcc, mnc, area, cell = string.unpack(">I2BI2I4", value)
    fields.cell(message, mcc, mnc, area, cell)
  end,
  [0x00e1] = number("battery", 1, 1, 100),
}

local LEAST_MCC = 200

--- Cells, the zone of the clock in words, or a list.
function lists.extended(message, value)
  if value:find("^[ -~]+$") then
    message.timezone = value
    return
  end
  if #value >= 8 and (#value - 3) % 5 == 0 and string.unpack(">I2", value) > LEAST_MCC then
    local mcc, mnc = string.unpack(">I2B", value)
    for at = 4, #value, 5 do
      local area, cell, signal = string.unpack(">I2I2B", value, at)
      fields.cell(message, mcc, mnc, area, cell, signal)
    end
    return
  end
  local at = 1
  while #value >= at + 3 do
    local length, id, from = string.unpack(">I2I2", value, at)
    if length < 2 or #value < at + 1 + length then return end
    local row = EXTENDED[id]
    if row then row(message, value:sub(from, from + length - 3)) end
    at = at + 2 + length
  end
end

--- E8 of Jimi's cameras: a type, then what it says.
local JIMI_ALARMS = {
  [0x0001] = "fault",
  [0x0400] = "hard_acceleration", [0x0412] = "hard_acceleration", [0x0401] = "hard_braking", [0x0413] = "hard_braking",
  [0x0402] = "hard_cornering", [0x0414] = "hard_cornering", [0x0403] = "overspeed", [0x0405] = "accident",
  [0x0416] = "accident", [0x0417] = "accident", [0x0406] = "vibration", [0x0407] = "tow",
  [0x0408] = "geofence_enter", [0x0409] = "geofence_exit", [0x040c] = "door", [0x0415] = "lane_change",
  [0x0c01] = "sos", [0x0c02] = "low_power", [0x0c05] = "general", [0x0c0e] = "power_cut", [0x0c0f] = "low_battery",
  [0x0c10] = "power_off", [0x0c12] = "tampering",
}
local JIMI_IGNITION = { [0x0c03] = true, [0x0c04] = false }
local JIMI_STATES = {
  [0x0001] = number("battery_voltage", 2, 100),
  [0x0002] = number("data_usage", 4),
  [0x0003] = number("battery", 1, 1, 100),
  [0x0004] = function(message, value) message.charging = value:byte() == 0 end,
  [0x0005] = function(message, value) message.iccid = mix.hex(value):sub(1, 19):match("^%d+$") end,
  [0x0007] = number("hdop", 2, 10),
  [0x2001] = number("voltage", 2, 10),
}

--- Charging, level of 1 to 6, battery, signal, supply.
local function jimi_power(message, value)
  if #value < 10 then return end
  local charging, step, battery, signal, voltage = string.unpack(">BBI2BI2", value, 4)
  message.charging = charging == 1
  if step >= 1 and step <= 6 then message.battery = step * 100 // 6 end
  message.battery_voltage, message.rssi, message.voltage = battery / 100, signal, voltage / 100
end

function lists.jimi(message, value)
  if #value < 2 then return end
  local kind = string.unpack(">I2", value)
  if JIMI_ALARMS[kind] then
    fields.alarm(message, JIMI_ALARMS[kind])
  elseif JIMI_IGNITION[kind] ~= nil then
    message.ignition = JIMI_IGNITION[kind]
  elseif kind == 0x2002 and #value >= 5 then
    message.upload_mode, message.archived = value:byte(4), value:byte(5) == 1
  elseif kind == 0x2003 then
    jimi_power(message, value)
  elseif kind == 0x2005 then
    fields.items(value, 4, ">I2B", function(id, content)
      local row = JIMI_STATES[id]
      if row then row(message, content) end
    end)
  end
end

--- FE: behind a mark, alarms of the way of driving, and the battery at the end.
local DRIVING = { [0] = "hard_acceleration", "hard_braking", "hard_cornering", "accident", "tampering" }
local MARK = 0x7c

function lists.driving(message, value)
  if value:byte(1) ~= MARK then return end
  fields.items(value, 2, "BB", function(id, content)
    if id == 1 and #content >= 4 then fields.alarms(message, string.unpack(">I4", content), DRIVING) end
  end)
end

--- 63: locks of a train of containers, 11 bytes each.
local SEALED = 0x31
function lists.locks(message, value)
  local list = {}
  for at = 1, #value - 10, 11 do
    local id, battery, seal = string.unpack(">c6I2B", value, at)
    list[#list + 1] = { id = mix.hex(id), battery_voltage = battery / 1000, sealed = seal == SEALED }
  end
  message.locks = list
end

--- D5: padlocks behind their number, 13 bytes each.
local OPEN = 0x20
function lists.padlocks(message, value)
  local list = {}
  for at = 2, math.min(#value, 1 + 13 * (value:byte(1) or 0)) - 12, 13 do
    local id, card, battery, state = string.unpack(">c5c5BI2", value, at)
    list[#list + 1] = { id = mix.hex(id), card = mix.hex(card), battery = battery, locked = state & OPEN == 0 }
  end
  message.locks = list
end

--- 77: tires, 8 bytes each.
function lists.tires(message, value)
  local list = {}
  for at = 1, #value - 7, 8 do
    local position, id, pressure, temperature, state = string.unpack(">Bc3I2BB", value, at)
    list[#list + 1] = {
      position = position, id = mix.hex(id), pressure = (pressure & 0x3ff) / 40, temperature = temperature - 50,
      status = state,
    }
  end
  message.tires = list
end

return lists
