-- GT06: trackers of Concox, Jimi and many others (GT06 GPS Tracker Communication Protocol V1.8.1, and what Concox
-- and Jimi added since).
--
--   78 78 · length (1) · protocol number (1) · body · serial (2) · CRC-16/X-25 over length…serial (2) · 0d 0a
--   79 79 · length (2) · …                                                   length counts protocol number…CRC
--
-- A device logs in with its IMEI and expects each message acknowledged by its number and serial. Messages carry
-- `device_id` from then on; their times are UTC, unless the login said which time zone the clock is set to.
-- To command a device: conn:send { type = "command", text = "DYD,000000#" }.

local lbs_wifi = require "protocols.gt06.lbs_wifi"
local fields = require "protocols.gt06.fields"
local reader = require "protocols.gt06.messages"

local CRC = "CRC-16/IBM-SDLC"
local CHECK = { name = CRC, from = 3, at = -4 }
local LOGIN, COMMAND, TIME_REQUEST, ADDRESS_REQUEST, ADDRESS = 0x01, 0x80, 0x8a, 0x2a, 0x97

-- Devices expect no acknowledgement of these.
local SILENT = {}
for _, number in ipairs { 0x19, 0x21, 0x24, 0x34, 0x35, 0x38, 0x66, 0x81, 0x84, 0x8c, 0x94, 0x9b, 0xf3, 0xfd } do
  SILENT[number] = true
end

local function frame_of(is_long, number, body, serial)
  local content = string.char(number) .. body .. string.pack(">I2", serial)
  local head = string.pack(is_long and ">I2" or ">B", #content + 2)
  local checked = head .. content
  return (is_long and "yy" or "xx") .. checked .. string.pack(">I2", mix.crc(CRC, checked)) .. "\r\n"
end

--- Seconds that a clock is ahead of UTC: hours and minutes, hundredfold, in the upper 12 bits, west in bit 3. Nil for
-- a zone that nobody lives in.
local function read_zone(word)
  local hours, minutes = (word >> 4) // 100, (word >> 4) % 100
  if hours > 14 or minutes > 59 then return nil end
  local seconds = hours * 3600 + minutes * 60
  return word & 8 ~= 0 and 0 - seconds or seconds
end

--- IMEI, then in newer devices their type and the time zone. The digit before the IMEI is 0 in the specification,
-- which not all devices keep to.
local function login(body, session)
  local imei = #body >= 8 and (mix.bcd(body:sub(1, 8)) or ""):match("^%d(%d+)$")
  if not imei then return nil, "no IMEI" end
  session.device_id = imei
  session.timezone = #body >= 12 and read_zone(string.unpack(">I2", body, 11)) or nil
  return { type = "login", timezone = session.timezone }
end

local function decode(frame, session)
  local first, _, count, number, long_number = frame:byte(1, 5)
  if lbs_wifi.is(first, count, number) then return lbs_wifi.decode(frame, session) end
  local is_long = first == 0x79
  local at = is_long and 6 or 5
  if #frame < at + 5 then return nil, "too short" end
  if is_long then number = long_number end

  local body = frame:sub(at, -7)
  local row = number == LOGIN and login or reader(number, is_long)
  local message, err
  if row then
    message, err = row(body, session)
    if not message then return nil, err end
  else
    message = { type = "unknown", data_hex = mix.hex(body) }
  end
  message.protocol_number, message.long = number, is_long or nil
  message.serial = string.unpack(">I2", frame, #frame - 5)
  message.device_id = session.device_id or message.device_id
  return message
end

local function reply(message)
  local number = message.protocol_number
  if not message.serial then return lbs_wifi.reply(message) end
  if SILENT[number] then return nil end
  if number == TIME_REQUEST then
    local now = os.date("!*t")
    local date = string.char(now.year % 100, now.month, now.day, now.hour, now.min, now.sec)
    return frame_of(false, number, date, message.serial)
  end
  if number == ADDRESS_REQUEST then
    local address = "NA&&NA&&0##" -- there is none: the device need not wait
    return frame_of(true, ADDRESS, string.pack(">BI4", #address, 0) .. address, 0)
  end
  -- In frames of the long form only alarms and positions of watches are acknowledged in that form.
  return frame_of(message.long and (number == 0x32 or number == 0x33), number, "", message.serial)
end

-- The length counts itself in one byte: command, length, server flag, text, serial and CRC must fit.
local MAX_TEXT = 245

--- `server_flag` (32 bits) comes back with the device's answer.
local function encode(message, session)
  if type(message) ~= "table" or message.type ~= "command" then
    return nil, 'only { type = "command", text } can be encoded'
  end
  local text, flag = message.text, message.server_flag or 0
  if type(text) ~= "string" or #text < 1 or #text > MAX_TEXT then
    return nil, string.format("text must have 1 to %d bytes", MAX_TEXT)
  end
  if type(flag) ~= "number" or flag % 1 ~= 0 or flag < 0 or flag > 0xffffffff then
    return nil, "server_flag must be a whole number from 0 to 4294967295"
  end
  local serial = session.serial or 0
  session.serial = (serial + 1) % 0x10000
  return frame_of(false, COMMAND, string.pack(">BI4", #text + 4, flag) .. text, serial)
end

return {
  name = "gt06",
  frame = mix.frame.any {
    lbs_wifi.frame,
    mix.frame.length { start = "xx", at = 3, size = 1, add = 5, max = 260, check = CHECK },
    -- The longest are parts of recordings; a false length must not hold back what follows it for long.
    mix.frame.length { start = "yy", at = 3, size = 2, add = 6, max = 4096, check = CHECK },
  },
  decode = decode,
  encode = encode,
  reply = reply,
}
