-- Positions of TK103 devices: date, validity, coordinates, speed, time, course and what the model adds, between commas
-- or not.

local digits = require "utils.digits"

-- Alarms that BO01 and BQ81 tell by a number.
local BY_NUMBER = {
  BO01 = { "accident", "sos", "vibration", "low_speed", "overspeed", "geofence_exit" },
  BQ81 = { [0] = "low_battery", "overspeed", "idle", "hard_acceleration", "hard_braking", "temperature" },
}

local PLACE = "(%d%d%d%d%d%d),?([AV]),? *(%d*%.%d+)([NS]),? *(%d*%.%d+)([EW]),?(.*)$"

--- Charging, ignition and the bits of three hexadecimal digits, fuel and odometer.
local function read_state(message, power, ignition, bits, fuel, odometer)
  local b = digits.hex(bits)
  message.charging = power == "0"
  if message.ignition == nil then message.ignition = ignition == "1" end
  message.input2, message.panic = b & 0x100 ~= 0, b & 0x200 ~= 0
  message.output2, message.blocked = b & 0x400 ~= 0, b & 0x800 ~= 0
  message.door = b & 0x080 ~= 0
  message.fuel, message.odometer = digits.hex(fuel), digits.hex(odometer)
end

--- Behind the time: the course, and the state of a vehicle or height and satellites.
local function read_tail(message, tail)
  local course, power, ignition, bits, fuel, odometer, rest =
    tail:match("^([ %d.][ %d.][ %d.][ %d.][ %d.][ %d.]),?([01])([01])(%x%x%x)(%x%x%x)L(%x+)(.*)$")
  if not course then
    course, power, ignition, bits, fuel, odometer, rest =
      tail:match("^(%d%d),?([01])([01])(%x%x%x)(%x%x%x)L(%x+)(.*)$")
  end
  if course then
    read_state(message, power, ignition, bits, fuel, odometer)
    message.temperature = digits.number(rest:match("^([+-]%d%d%d%.%d)$"))
  else
    local altitude, satellites
    course, rest = tail:match("^ *(%d+%.?%d*)(.*)$")
    altitude, satellites = (rest or ""):match("^,(%-?%d+%.%d+),(%d%d?)%f[,%z]")
    message.altitude, message.satellites = tonumber(altitude), tonumber(satellites)
  end
  message.course = digits.course(course)
end

--- Reads a position; returns false when there is none. `commas`: the date is ddmmyy, else yymmdd.
return function(message, text, commas)
  local at, _, date, fix, latitude, ns, longitude, ew, rest = text:find(PLACE)
  if not at then return false end
  local speed, clock, tail = rest:match("^ *(%d+%.?%d*),(%d%d%d%d%d%d),?(.*)$")
  if not speed then
    speed, clock, tail = rest:match("^([ %d.][ %d.]?[ %d.]?[ %d.]?[ %d.]?)(%d%d%d%d%d%d),?(.*)$")
  end
  if not speed then return false end
  message.type = "location"
  local number = text:sub(1, at - 1):match(message.command == "BQ81" and "^,ALARM,(%d+)," or "^(%d+)$")
  local alarms = BY_NUMBER[message.command]
  if alarms and number then message.alarm = alarms[tonumber(number)] end
  message.time = digits.time(date, clock, commas and "dmy" or "ymd")
  message.valid = digits.place(message, digits.degrees(latitude, ns), digits.degrees(longitude, ew)) and fix == "A"
  message.speed = digits.number(speed)
  read_tail(message, tail)
  return true
end
