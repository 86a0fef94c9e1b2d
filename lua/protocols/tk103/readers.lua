-- Messages of TK103 devices that are no positions. Each function reads what follows the command into `message`, and
-- returns false when it is something else after all.

local battery = require "protocols.tk103.battery"
local digits = require "utils.digits"

local MAX_CELLS = 32

local readers = { BS50 = battery.BS50, BS51 = battery.BS51 }

function readers.BP00(message)
  message.type = "login"
  return true
end

--- Cells in braces, in decimal; or one and its neighbours in hexadecimal.
local function cells(message, text)
  local found = {}
  for mcc, mnc, lac, cell in text:gmatch("{(%d+),(%d+),(%d+),(%d+)}") do
    if #found == MAX_CELLS then break end
    found[#found + 1] = { mcc = tonumber(mcc), mnc = tonumber(mnc), lac = tonumber(lac), cell = tonumber(cell) }
  end
  if #found == 0 then
    local mcc, mnc, rest = text:match("^,?(%d+),(%d+),(.*)$")
    for lac, cell, signal in (rest or ""):gmatch("(%x+),(%x+),?(%d*)") do
      if #found == MAX_CELLS then break end
      found[#found + 1] = {
        mcc = tonumber(mcc), mnc = tonumber(mnc), lac = digits.hex(lac), cell = digits.hex(cell), rssi = tonumber(signal),
      }
    end
  end
  if #found == 0 then return false end
  message.type, message.valid, message.cells = "location", false, found
  return true
end
readers.BZ00 = cells

--- A login with cells, or with no more than the device's IMEI; else with a position.
function readers.BP05(message, text)
  if text:find("^%w*$") then return readers.BP00(message) end
  return text:find("{", 1, true) ~= nil and cells(message, text)
end

local LEVELS = { [2] = 10, [3] = 20, [4] = 50, [5] = 80, [6] = 100 }

--- The battery: level, its voltage in hundredths, the supply's in tenths; all ones where there is none.
function readers.ZC20(message, text)
  local date, clock, level, voltage, supply = text:match("^(%d+),(%d+),(%d+),(%d+),(%d+)")
  if not date then return false end
  message.type, message.time = "status", digits.time(date, clock, "dmy")
  message.battery = LEVELS[tonumber(level)]
  if voltage ~= "65535" then message.battery_voltage = tonumber(voltage) / 100 end
  if supply ~= "65535" then message.voltage = tonumber(supply) / 10 end
  return true
end

--- The answer to a command: date, time, text between two $.
function readers.ZC03(message, text)
  local date, clock, answer = text:match("^(%d+),(%d+),%$([^$]*)")
  if not date then return false end
  message.type, message.time, message.result = "command_response", digits.time(date, clock, "dmy"), answer
  return true
end

--- The vehicle's identification number.
function readers.BV00(message, text)
  local vin = text:match("^%w+$")
  if not vin or #vin ~= 17 then return false end
  message.type, message.vin = "information", vin
  return true
end

--- Values by OBD parameter ids, as the device got them: their number, hexadecimal, time.
function readers.BQ86(message, text)
  local data, date, clock = text:match("^,%d+,(%x+),(%d%d%d%d%d%d)(%d%d%d%d%d%d)")
  if not data then return false end
  message.type, message.data_hex, message.time = "obd", data, digits.time(date, clock)
  return true
end

--- The serving cell and the WiFi access points around: MAC*signal*channel.
local function surroundings(message, text)
  local mcc, mnc, lac, cell, rest = text:match("^(%d+),(%d+),(%d+),(%d+),%d+,(.*)$")
  if not mcc then return false end
  message.type, message.valid = "location", false
  message.mcc, message.mnc, message.lac, message.cell = tonumber(mcc), tonumber(mnc), tonumber(lac), tonumber(cell)
  local points = {}
  for mac, signal, channel in rest:gmatch("(%x+:%x+:%x+:%x+:%x+:%x+)%*([-+]?%d+)%*(%d+),") do
    if #points == MAX_CELLS then break end
    points[#points + 1] = { mac = mac:gsub(":", ""):lower(), rssi = digits.number(signal), channel = tonumber(channel) }
  end
  message.wifi = points
  local date, clock = rest:match("(%d%d%d%d%d%d),(%d%d%d%d%d%d)$")
  message.time = digits.time(date, clock, "dmy")
  return true
end
for last in ("0123456789ABCDEF"):gmatch(".") do readers["DW5" .. last] = surroundings end
for _, command in ipairs { "DW60", "DW62" } do readers[command] = surroundings end

return readers
