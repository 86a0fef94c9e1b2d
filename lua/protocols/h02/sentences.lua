-- The text form of H02: *maker,device,command,…#

local digits = require "utils.digits"
local status = require "protocols.h02.status"

local MAX_CELLS = 32

--- A coordinate: degrees and minutes as usual, with dashes ("-23-29.0095"), or without the point ("37573392").
local function coordinate(text, hemisphere)
  local usual = digits.degrees(text, hemisphere)
  if usual then return usual end
  local degrees, minutes = text:match("^%s*%-?(%d+)%-(%d+%.%d+)$")
  if not degrees then
    local fraction
    degrees, minutes, fraction = text:match("^(%d+)(%d%d)(%d%d%d%d)$")
    minutes = minutes and minutes .. "." .. fraction
  end
  return degrees and digits.signed(tonumber(degrees) + tonumber(minutes) / 60, hemisphere)
end

local function is_date(text) return text ~= nil and #text == 6 and not text:find("%D") end

--- Reads a status of eight hexadecimal digits; returns whether it is one.
local function read_status(message, text)
  if not text or #text ~= 8 then return false end
  local value = digits.hex(text)
  if value then status(message, value) end
  return value ~= nil
end

--- What follows the status: odometer, temperature, fuel, altitude, area and cell; else inputs of the model's own.
local function read_data(message, fields, at)
  local tail = table.concat(fields, ",", at)
  local odometer, temperature, fuel, altitude, lac, cell =
    tail:match("^(%d+),(%-?%d+),(%d+%.%d+),(%-?%d+),(%x+),(%x+)$")
  if odometer then
    message.odometer, message.temperature, message.fuel = tonumber(odometer), tonumber(temperature), tonumber(fuel)
    message.altitude, message.lac, message.cell = tonumber(altitude), digits.hex(lac), digits.hex(cell)
    return
  end
  for i = at, #fields do
    local value = fields[i]:match("^%s*(.-)%s*$")
    if value ~= "" then message["io" .. (i - at + 1)] = value end
  end
end

--- Where the hemisphere of the latitude stands; the longitude's stands two fields on.
local function find_position(fields)
  for at = 6, #fields - 2 do
    local ns, ew = fields[at], fields[at + 2]
    if (ns == "N" or ns == "S") and (ew == "E" or ew == "W") then return at end
  end
end

--- Time, validity and coordinates before `at`; speed, course, date, card and status behind.
local function read_position(message, fields, at)
  local fix = fields[at - 2]
  -- A number in the place of the validity is an encoding; VP1 tells cells apart from positions by it.
  local valid = fix == "A" or fix:find("^%d+$") ~= nil or message.command == "VP1"
  message.valid = digits.place(message, coordinate(fields[at - 1], fields[at]),
    coordinate(fields[at + 1], fields[at + 2])) and valid
  local speed = digits.number(fields[at + 3])
  message.speed = speed and speed * digits.KNOT
  message.course = digits.course(fields[at + 4] == "" and "0" or fields[at + 4])

  local next = at + 5
  if not is_date(fields[next]) and is_date(fields[next + 1]) then
    local battery = digits.number(fields[next])
    if battery and battery <= 100 then message.battery = battery end
    next = next + 1
  end
  local clock = fields[at - 3]
  -- VP1 has a date alone.
  if is_date(clock) or message.command == "VP1" then
    message.time = digits.time(fields[next], is_date(clock) and clock or nil, "dmy")
  end
  for i = next + 1, #fields do
    if #fields[i] >= 18 then message.iccid = message.iccid or fields[i]:match("^89%d+") end
    if i <= next + 4 and read_status(message, fields[i]) then
      read_data(message, fields, i + 1)
      return
    end
  end
end

--- `count` cells from the field `at` on, each of `size` fields: area, cell and perhaps its signal.
local function read_cells(message, fields, at, count, size, base, signal)
  local cells = {}
  for i = at, at + (math.min(count, MAX_CELLS) - 1) * size, size do
    local lac, cell = tonumber(fields[i] or "", base), tonumber(fields[i + 1] or "", base)
    if not lac or not cell then break end
    local rssi = signal and digits.number(fields[i + signal])
    cells[#cells + 1] = {
      mcc = message.mcc, mnc = message.mnc, lac = lac, cell = cell, rssi = rssi and 0 - math.abs(rssi),
    }
  end
  message.cells = cells
end

--- Where the date and the status behind it stand, from `at` on, whatever the number of cells before them says.
local function find_end(fields, at)
  for i = #fields - 1, at, -1 do
    if is_date(fields[i]) and fields[i + 1]:find("^%x%x%x%x%x%x%x%x$") then return i end
  end
  return #fields + 1
end

--- A date, the status behind it, and the time of day from the field 4.
local function read_end(message, fields, at)
  message.time = is_date(fields[4]) and digits.time(fields[at], fields[4], "dmy") or nil
  read_status(message, fields[at + 1])
end

local commands = {}

function commands.SMS(message, _, text)
  message.type, message.result = "command_response", text:match("^[^,]*,[^,]*,[^,]*,(.*)$")
end

local function heartbeat(message, fields)
  message.type = "heartbeat"
  local battery = digits.number(fields[4])
  if battery and battery <= 100 then message.battery = battery end
end
commands.HTBT = heartbeat
commands.V0 = heartbeat
function commands.XT(message) message.type = "heartbeat" end

function commands.LINK(message, fields)
  message.type = "status"
  message.rssi, message.satellites = digits.number(fields[5]), digits.number(fields[6])
  message.battery, message.steps = digits.number(fields[7]), digits.number(fields[8])
  message.turnovers = digits.number(fields[9])
  read_end(message, fields, 10)
end

--- Cells in decimal, behind their number.
function commands.NBR(message, fields)
  message.valid = false
  message.mcc, message.mnc = digits.number(fields[5]), digits.number(fields[6])
  local at = find_end(fields, 9)
  read_cells(message, fields, 9, (at - 9) // 3, 3, 10, 2)
  read_end(message, fields, at)
end

--- Cells; some devices send a position by the same name.
function commands.V3(message, fields)
  local mcc, mnc = (fields[5] or ""):match("^(%d%d%d)(%d+)$")
  if not mcc then return false end
  message.valid, message.mcc, message.mnc = false, tonumber(mcc), tonumber(mnc)
  local count = digits.number(fields[6]) or 0
  read_cells(message, fields, 7, count, 4, 10)
  local at = 7 + 4 * #message.cells
  message.battery_raw = digits.hex(fields[at])
  read_end(message, fields, at + 3)
end

--- Cells in hexadecimal.
function commands.BS(message, fields)
  message.valid = false
  message.mcc, message.mnc = digits.hex(fields[5]), digits.hex(fields[6])
  read_cells(message, fields, 7, (#fields - 6) // 3, 3, 16)
end

--- A position, or the serving and the neighbouring cells of a device without one.
function commands.VP1(message, fields, text)
  if fields[4] ~= "V" then return false end
  message.valid = false
  message.mcc, message.mnc = digits.number(fields[5]), digits.number(fields[6])
  local cells = mix.str_split(text:match("^" .. ("[^,]*,"):rep(6) .. "(.*)$") or "", "Y")
  message.cells = {}
  for i = 1, math.min(#cells, MAX_CELLS) do
    local lac, cell, rssi = cells[i]:match("^(%d+),(%d+),(%-?%d+)$")
    if lac then
      message.cells[#message.cells + 1] = {
        mcc = message.mcc, mnc = message.mnc, lac = tonumber(lac), cell = tonumber(cell), rssi = 0 - math.abs(tonumber(rssi)),
      }
    end
  end
end

local function read(message, fields, text)
  local command = commands[message.command]
  if command and command(message, fields, text) ~= false then return end
  local at = find_position(fields)
  if at then
    read_position(message, fields, at)
    if message.command == "V4" and at > 7 then message.result = table.concat(fields, ",", 4, at - 4) end
  else
    message.type = message.command == "V4" and "command_response" or "unknown"
    message.text = text
  end
end

--- What stands between * and #. A frame that was cut off runs into the next, which begins with the last asterisk and
-- maker.
local function text_of(frame)
  if frame:find("*", 2, true) then frame = frame:match("^.*(%*%w%w,%w*,.*)$") or frame end
  return frame:match("^%*([^#]*)")
end

return function(frame)
  local text = text_of(frame)
  local fields = mix.str_split(text or "", ",")
  if #fields < 3 then return nil, "no *maker,device,command" end
  local id = fields[2]:match("^%w+$")
  local message = { type = "location", maker = fields[1], device_id = id, command = fields[3] }
  read(message, fields, text)
  if message.alarm and message.type == "location" then message.type = "alarm" end
  return message
end
