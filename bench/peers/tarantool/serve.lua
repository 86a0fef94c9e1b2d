-- The same servers on Tarantool: a fiber a client, framing by hand, the checks, fields and answers of ../protocols.mjs.
--   tarantool serve.lua echo|gt06|modbus     says where it listens
local bit = require "bit"
local errno = require "errno"
local socket = require "socket"

local byte, char, sub = string.byte, string.char, string.sub
local band, bxor, rshift = bit.band, bit.bxor, bit.rshift

local function u16(bytes, at)
  local high, low = byte(bytes, at, at + 1)
  return high * 256 + low
end

local function u32(bytes, at)
  return u16(bytes, at) * 65536 + u16(bytes, at + 2)
end

local CRC = {}
for i = 0, 255 do
  local crc = i
  for _ = 1, 8 do crc = band(crc, 1) == 1 and bxor(rshift(crc, 1), 0x8408) or rshift(crc, 1) end
  CRC[i] = crc
end

--- CRC-16/IBM-SDLC of a part of a string.
local function crc16(bytes, from, to)
  local crc = 0xffff
  for i = from, to do crc = bxor(rshift(crc, 8), CRC[band(bxor(crc, byte(bytes, i)), 0xff)]) end
  return bxor(crc, 0xffff)
end

local DAYS_BEFORE = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334 }

--- Seconds since 1970 of a date of this century, UTC.
local function time_of(year, month, day, hour, minute, second)
  local leap_day = year % 4 == 0 and month > 2 and 1 or 0
  local days = 10957 + 365 * year + math.floor((year + 3) / 4) + (DAYS_BEFORE[month] or 0) + leap_day + day - 1
  return ((days * 24 + hour) * 60 + minute) * 60 + second
end

-- A protocol: the length of the frame that begins at `at` (0: not all is there, -1: none begins here), its fields, and
-- the answer to them.
local PROTOCOLS = {
  echo = {
    length = function(bytes, at)
      local there = #bytes - at + 1
      if there < 2 then return 0 end
      local length = u16(bytes, at) + 2
      return there < length and 0 or length
    end,
    decode = function(frame) return frame end,
    reply = function(message) return message end,
  },

  gt06 = {
    length = function(bytes, at)
      local there = #bytes - at + 1
      if there < 3 then return 0 end
      if u16(bytes, at) ~= 0x7878 then return -1 end
      local length = byte(bytes, at + 2) + 5
      if there < length then return 0 end
      local check = at + length - 4
      return crc16(bytes, at + 2, check - 1) == u16(bytes, check) and length or -1
    end,
    decode = function(frame)
      local number, year, month, day, hour, minute, second, satellites = byte(frame, 4, 11)
      if number ~= 0x22 then return nil end
      local message = { type = "location", protocol_number = number }
      message.time = time_of(year, month, day, hour, minute, second)
      message.satellites = band(satellites, 15)
      local latitude, longitude = u32(frame, 12) / 1.8e6, u32(frame, 16) / 1.8e6
      message.speed = byte(frame, 20)
      local flags = u16(frame, 21)
      message.valid = band(flags, 0x1000) ~= 0
      if latitude <= 90 and longitude <= 180 then
        message.latitude = band(flags, 0x400) ~= 0 and latitude or -latitude
        message.longitude = band(flags, 0x800) ~= 0 and -longitude or longitude
      else
        message.valid = false
      end
      if band(flags, 0x3ff) <= 360 then message.course = band(flags, 0x3ff) end
      local mcc = band(u16(frame, 23), 0x7fff)
      if mcc ~= 0 then
        message.mcc, message.mnc, message.lac = mcc, byte(frame, 25), u16(frame, 26)
        message.cell = u16(frame, 28) * 256 + byte(frame, 30)
      end
      local ignition, reason, archived = byte(frame, 31, 33)
      message.ignition, message.upload_reason, message.archived = ignition ~= 0, reason, archived ~= 0
      message.serial = u16(frame, #frame - 5)
      return message
    end,
    reply = function(message)
      local serial = message.serial
      local checked = char(5, message.protocol_number, rshift(serial, 8), band(serial, 0xff))
      local crc = crc16(checked, 1, 4)
      return "xx" .. checked .. char(rshift(crc, 8), band(crc, 0xff)) .. "\r\n"
    end,
  },

  modbus = {
    length = function(bytes, at)
      local there = #bytes - at + 1
      if there < 6 then return 0 end
      local length = u16(bytes, at + 4) + 6
      if length > 260 then return -1 end
      return there < length and 0 or length
    end,
    decode = function(frame)
      if #frame ~= 12 or u16(frame, 3) ~= 0 or byte(frame, 8) ~= 3 then return nil end
      local quantity = u16(frame, 11)
      if quantity < 1 or quantity > 125 then return nil end
      return {
        type = "request",
        transaction = u16(frame, 1),
        unit = byte(frame, 7),
        function_code = 3,
        address = u16(frame, 9),
        quantity = quantity,
      }
    end,
    reply = function(request)
      local quantity, transaction = request.quantity, request.transaction
      local length = 3 + 2 * quantity
      local bytes = char(
        rshift(transaction, 8), band(transaction, 0xff), 0, 0, rshift(length, 8), band(length, 0xff),
        request.unit, 3, 2 * quantity
      )
      for i = 0, quantity - 1 do
        local value = band(request.address + i, 0xffff)
        bytes = bytes .. char(rshift(value, 8), band(value, 0xff))
      end
      return bytes
    end,
  },
}

local protocol = PROTOCOLS[arg[1]]
local length, decode, reply = protocol.length, protocol.decode, protocol.reply

--- Answers to the whole frames at the start of `held`, as one string, and what is left behind them.
local function answer(held)
  local at, answers = 1, ""
  while at <= #held do
    local whole = length(held, at)
    if whole == 0 then break end
    if whole > 0 then
      local message = decode(sub(held, at, at + whole - 1))
      if message then answers = answers .. reply(message) end
    end
    at = at + (whole > 0 and whole or 1)
  end
  return answers, sub(held, at)
end

local server = socket.tcp_server("127.0.0.1", 0, {
  name = "bench",
  prepare = function(listening)
    listening:setsockopt("SOL_SOCKET", "SO_REUSEADDR", true)
    return 1024
  end,
  handler = function(client)
    client:setsockopt("tcp", "TCP_NODELAY", true)
    local held = ""
    while true do
      -- To wait first costs less than to read in vain once after each answer.
      client:readable()
      local bytes = client:sysread(65536)
      if bytes == "" then return end
      if bytes then
        local answers
        answers, held = answer(#held > 0 and held .. bytes or bytes)
        if #answers > 0 and not client:write(answers) then return end
      elseif client:errno() ~= errno.EAGAIN then
        return
      end
    end
  end,
})
io.stdout:write("listening on ", server:name().port, "\n")
io.stdout:flush()
