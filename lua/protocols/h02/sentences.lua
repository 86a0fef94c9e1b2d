-- The text form of H02: *maker,device,command,…#

local cells = require "protocols.h02.cells"
local digits = require "utils.digits"
local ending = require "protocols.h02.ending"

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
  if not ending.is_date(fields[next]) and ending.is_date(fields[next + 1]) then
    local battery = digits.number(fields[next])
    if battery and battery <= 100 then message.battery = battery end
    next = next + 1
  end
  local clock = fields[at - 3]
  -- VP1 has a date alone.
  if ending.is_date(clock) or message.command == "VP1" then
    message.time = digits.time(fields[next], ending.is_date(clock) and clock or nil, "dmy")
  end
  for i = next + 1, #fields do
    if #fields[i] >= 18 then message.iccid = message.iccid or fields[i]:match("^89%d+") end
    if i <= next + 4 and ending.read_status(message, fields[i]) then
      read_data(message, fields, i + 1)
      return
    end
  end
end

local commands = { NBR = cells.NBR, V3 = cells.V3, BS = cells.BS, VP1 = cells.VP1 }

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
  ending.read(message, fields, 10)
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
