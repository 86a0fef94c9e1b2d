-- Positions in text reports: accuracy (HDOP, 0 while there is no fix), speed, azimuth, altitude, longitude, latitude,
-- UTC time; then WiFi access points on some models, the serving cell, and a field of varying use.
--
-- What precedes a position differs between models, firmwares and settings, so positions are found by their shape.

local fields = require "protocols.queclink.fields"

local location = {}

local COORDINATE = "^%-?%d%d?%d?%.%d%d%d%d+$"
-- From the accuracy to the longitude, and to what follows the time.
local TO_LONGITUDE, SIZE = 4, 7

--- The index of the next position's accuracy from `from` on, or nil.
function location.find(v, from, last)
  for i = from + TO_LONGITUDE, last - 2 do
    if #v[i + 2] == 14 and v[i + 2]:find("^%d+$") and v[i]:find(COORDINATE) and v[i + 1]:find(COORDINATE) then
      return i - TO_LONGITUDE
    end
  end
  return nil
end

--- The index of the accuracy of a position that is left blank, and of what follows it; nil when there is none.
function location.find_blank(v, from, last)
  local run = 0
  for i = from, last + 1 do
    if i <= last and v[i] == "" then
      run = run + 1
    elseif run >= SIZE - 1 then
      local first = i - run
      -- The accuracy itself may be 0, or blank; behind a longer run the cell is blank too.
      if run == SIZE - 1 or run > SIZE and v[first - 1] == "0" then first = first - 1 end
      return first, first + SIZE
    else
      run = 0
    end
  end
  return nil
end

--- Reads the position at `at`; returns the index of what follows it.
function location.read(message, v, at)
  local hdop, longitude, latitude = fields.number(v[at]), tonumber(v[at + 4]), tonumber(v[at + 5])
  local course = fields.number(v[at + 2])
  message.hdop, message.speed, message.altitude = hdop, fields.number(v[at + 1]), fields.number(v[at + 3])
  if course and course >= 0 and course <= 360 then message.course = course end
  message.time = fields.time(v[at + 6])
  message.valid = math.abs(latitude) <= 90 and math.abs(longitude) <= 180
  if message.valid then message.latitude, message.longitude = latitude, longitude end
  if hdop == 0 then message.last_known = true end
  return at + SIZE
end

--- Reads access points and the serving cell at `at`; returns the index of what follows them.
function location.network(message, v, at)
  if fields.is_mac(v[at + 1]) then
    local wifi = {}
    at = at + 1
    while fields.is_mac(v[at]) do
      wifi[#wifi + 1] = { mac = v[at]:lower(), rssi = fields.number(v[at + 1]) }
      at = at + 5 -- three are reserved
    end
    message.wifi = wifi
  end
  local cell = fields.cell(v, at)
  if cell then message.mcc, message.mnc, message.lac, message.cell = cell.mcc, cell.mnc, cell.lac, cell.cell end
  return at + 4
end

--- Reads the field behind the cell: mileage, or a mask of what is appended; returns the index of what follows it.
function location.appended(message, v, at, model)
  if model == "GL320M" then return at end
  local value = v[at]
  at = at + 1
  if value:find("%.") then
    message.odometer = fields.kilometres(value)
  elseif value:find("^%x%x?$") then
    local mask = tonumber(value, 16)
    if mask & 1 ~= 0 then
      message.satellites = fields.number(v[at])
      at = at + 1
    end
    if mask & 2 ~= 0 then at = at + 1 end -- what triggered the report
    if mask & 16 ~= 0 then at = at + 1 end -- jamming
  end
  return at
end

return location
