-- The binary form of H02: packed decimal, in which each hexadecimal digit is one of the decimal number.

local digits = require "utils.digits"
local status = require "protocols.h02.status"

local FIXED, NORTH, EAST = 2, 4, 8

--- Per cent of a battery: levels 0 to 6, or per cent as such, or 0xf1 and up.
local function battery(byte)
  if byte == 0 then return nil end
  if byte <= 3 then return (byte - 1) * 10 end
  if byte <= 6 then return (byte - 1) * 20 end
  if byte <= 100 then return byte end
  return byte >= 0xf1 and byte <= 0xf6 and byte - 0xf0 or nil
end

local function coordinate(text, degrees)
  local whole, minutes = tonumber(text:sub(1, degrees), 10), tonumber(text:sub(degrees + 1), 10)
  return whole + minutes / 600000
end

--- Reads a frame whose time of day begins at the hexadecimal digit `at`, behind the device's id.
local function read(hex, id, at)
  local clock, date = hex:sub(at, at + 5), hex:sub(at + 6, at + 11)
  local latitude, longitude = hex:sub(at + 12, at + 19), hex:sub(at + 22, at + 30)
  local speed, course = hex:sub(at + 32, at + 34), hex:sub(at + 35, at + 37)
  if not (id .. clock .. date .. latitude .. longitude .. speed .. course):find("^%d+$") then return nil end
  local flags = tonumber(hex:sub(at + 31, at + 31), 16)
  local message = {
    type = "location", device_id = id, time = digits.time(date, clock, "dmy"), course = digits.course(course),
    speed = tonumber(speed) * digits.KNOT, battery = battery(tonumber(hex:sub(at + 20, at + 21), 16)),
  }
  local placed = digits.place(message,
    digits.signed(coordinate(latitude, 2), flags & NORTH == 0 and "S"),
    digits.signed(coordinate(longitude, 3), flags & EAST == 0 and "W"))
  message.valid = placed and flags & FIXED ~= 0
  status(message, tonumber(hex:sub(at + 38, at + 45), 16))
  if message.alarm then message.type = "alarm" end
  return message
end

--- The id has 5 bytes, or 8 with an IMEI: where the date exists tells.
return function(frame)
  if #frame < 32 then return nil, "too short" end
  local hex = mix.hex(frame:sub(1, 32))
  local short, long = read(hex, hex:sub(3, 12), 13), read(hex, hex:sub(3, 17), 19)
  local message = long and (#frame == 42 or not short or not short.time) and long.time and long or short or long
  if not message then return nil, "not packed decimal" end
  return message
end
