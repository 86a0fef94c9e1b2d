-- Sentences of GPS103 devices that say more than who they are: imei:device,event,…

local calendar = require "utils.calendar"
local digits = require "utils.digits"

local ALARMS = {
  ["help me"] = "sos", ["low battery"] = "low_battery", stockade = "geofence", move = "movement", speed = "overspeed",
  ["door alarm"] = "door", ["ac alarm"] = "power_cut", ["accident alarm"] = "accident", ["sensor alarm"] = "vibration",
  ["bonnet alarm"] = "bonnet", ["footbrake alarm"] = "foot_brake", DTC = "fault",
}

--- What the word behind the IMEI says.
local function read_event(message, event, card)
  message.event = event ~= "" and event or nil
  message.alarm = ALARMS[event]
  if event == "acc on" then message.ignition = true end
  if event == "acc off" then message.ignition = false end
  if event == "rfid" then message.driver_id = card end
  if event:find("^T:") then
    message.alarm, message.temperature = "temperature", digits.number(event:sub(3))
  elseif event:find("^oil") then
    message.alarm, message.fuel = "fuel_leak", digits.number(event:match("^oil (.*)$"))
  end
  if message.alarm then message.type = "alarm" end
end

--- Unix seconds from the local time (yymmddhhmm, with seconds and separators perhaps) and the UTC time of day, at most
-- half a day apart. A device without the second is taken by its own clock, to the minute.
local function read_time(here, utc)
  local year, month, day, hour, minute = here:match("^(%d%d)/?(%d%d)/?(%d%d) ?(%d%d):?(%d%d)")
  if not year then return nil end
  local utc_hour, utc_minute, second = (utc or ""):match("^(%d%d)(%d%d)(%d%d)%.?%d*$")
  hour, minute = tonumber(hour), tonumber(minute)
  local time = calendar.epoch(2000 + tonumber(year), tonumber(month), tonumber(day), hour, minute,
    tonumber(second or 0))
  if not time or not utc_hour then return time end
  utc_hour, utc_minute = tonumber(utc_hour), tonumber(utc_minute)
  if utc_hour > 23 or utc_minute > 59 then return nil end
  local ahead = hour * 60 + minute - utc_hour * 60 - utc_minute
  if ahead <= -720 then ahead = ahead + 1440 elseif ahead > 720 then ahead = ahead - 1440 end
  return time - ahead * 60
end

--- A coordinate at the field `at`, its hemisphere before or behind it; returns it and where the next field is.
local function read_coordinate(fields, at, hemispheres)
  local hemisphere
  if (fields[at] or ""):find(hemispheres) then hemisphere, at = fields[at], at + 1 end
  local text = fields[at]
  local behind = fields[at + 1] or ""
  if behind:find(hemispheres) then return digits.degrees(text, behind), at + 2 end
  return digits.degrees(text, hemisphere), behind == "" and hemispheres == "^[EW]$" and at + 2 or at + 1
end

local function read_position(message, fields)
  local latitude, longitude, at
  latitude, at = read_coordinate(fields, 8, "^[NS]$")
  longitude, at = read_coordinate(fields, at, "^[EW]$")
  message.time = read_time(fields[3], fields[6])
  message.valid = digits.place(message, latitude, longitude) and fields[7] == "A"
  message.speed = (digits.number(fields[at]) or 0) * digits.KNOT
  message.course = (fields[at + 1] or "") == "" and 0 or digits.course(fields[at + 1])
  message.altitude = digits.number(fields[at + 2])
  local ignition, door = fields[at + 3], fields[at + 4]
  if message.ignition == nil and (ignition == "0" or ignition == "1") then message.ignition = ignition == "1" end
  if door == "0" or door == "1" then message.door = door == "1" end
  for i = 1, 2 do
    message["fuel" .. i] = digits.number((fields[at + 4 + i] or ""):match("^(%d+%.?%d*)%%$"))
  end
  message.temperature = message.temperature or digits.number(fields[at + 7])
  if fields[2] == "DTC" then message.dtcs = fields[at + 6] end
end

--- A position, or the serving cell where there is none.
local function location(message, fields)
  read_event(message, fields[2], fields[4])
  message.battery = digits.number((fields[4] or ""):match("^(%d+)%%$"))
  if fields[5] == "F" then
    read_position(message, fields)
  elseif fields[5] == "L" then
    message.valid = false
    local lac, cell = digits.hex(fields[8]), digits.hex(fields[10])
    if lac and cell then message.lac, message.cell = lac, cell end
  else
    return nil, "neither a position nor a cell"
  end
  return message
end

--- Vehicle diagnostics; odometer in km, consumption in litres for 100 km.
local function obd(message, fields)
  message.type = "obd"
  local odometer = digits.number(fields[4])
  message.time = digits.time(fields[3]:sub(1, 6), fields[3]:sub(7))
  message.odometer = odometer and odometer * 1000
  message.fuel_consumption_now, message.fuel_consumption = digits.number(fields[5]), digits.number(fields[6])
  message.engine_hours, message.obd_speed = digits.number(fields[7]), digits.number(fields[8])
  message.engine_load = digits.number((fields[9] or ""):match("^(.*)%%$"))
  message.coolant_temperature = digits.number(fields[10])
  message.throttle = digits.number((fields[11] or ""):match("^(.*)%%$"))
  message.rpm, message.voltage = digits.number(fields[12]), digits.number(fields[13])
  local codes = {}
  for i = 14, #fields do
    if fields[i]:find("^%w+$") then codes[#codes + 1] = fields[i] end
  end
  if #codes > 0 then message.dtcs = codes end
  return message
end

local function given(text) return text and not text:find("^%-+$") and text ~= "" and text or nil end

--- Name, event, sensor, its voltage, time, date, signal, fix, decimal degrees, km/h, …
local function detailed(message, fields)
  message.event, message.sensor_id = given(fields[3]), given(fields[4])
  message.sensor_voltage = digits.number(fields[5])
  message.time = digits.time(fields[7], fields[6], "dmy")
  message.rssi = digits.number(fields[8])
  message.valid = digits.place(message, digits.number(fields[10]), digits.number(fields[11])) and fields[9] ~= "0"
  message.speed, message.course = digits.number(fields[12]), digits.course(fields[13])
  message.altitude, message.hdop = digits.number(fields[14]), digits.number(fields[15])
  message.satellites = digits.number(fields[16])
  message.ignition, message.charging = fields[17] == "1", fields[18] == "1"
  message.error = given(fields[19])
  return message
end

--- A part of a photograph: number and length (little endian), the bytes, two bytes of a sum.
local function photo(message, fields)
  local bytes = mix.unhex(fields[3] or "")
  if not bytes or #bytes < 6 then return nil, "no part of a photograph" end
  message.type, message.part, message.data = "photo", string.unpack("<I2", bytes), bytes:sub(5, -3)
  return message
end

local function is_detailed(fields)
  return #fields >= 18 and fields[6]:find("^%d%d%d%d%d%d$") and fields[7]:find("^%d%d%d%d%d%d$")
end

return function(text)
  local fields = mix.str_split(text, ",")
  local id = fields[1]:match("^imei:(%w+)$")
  if not id or #fields < 3 then return nil, "no imei:device,event" end
  local message = { type = "location", device_id = id }
  if fields[2] == "vr" then return photo(message, fields) end
  if fields[2]:find("^OBD") then return obd(message, fields) end
  return (is_detailed(fields) and detailed or location)(message, fields)
end
