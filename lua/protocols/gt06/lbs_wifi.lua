-- The LBS and WiFi messages (0x17, 0x69) of small trackers that speak GT06 otherwise: the byte where others have the
-- length counts WiFi access points, the date is BCD, and neither a checksum nor a serial number follows.
--
--   78 78 · number of access points · 17|69 · date (6, BCD) · access points (7 each: MAC, signal)
--   · number of cells · country (2) · network (1) · cells (5 each: area, cell, signal) · 0d 0a

local calendar = require "utils.calendar"
local fields = require "protocols.gt06.fields"

local lbs_wifi = {}

local NUMBERS = { [0x17] = true, [0x69] = true }
local MAX_POINTS = 16 -- others with these protocol numbers are longer than this
local MAX_FRAME = 300

local function starts()
  local list = {}
  for number in pairs(NUMBERS) do
    for count = 0, MAX_POINTS do list[#list + 1] = string.char(0x78, 0x78, count, number) end
  end
  return list
end

--- They end with 0d 0a, which also ends one early that has these bytes inside: it does not decode then.
lbs_wifi.frame = mix.frame.delimiter { start = starts(), ends = "\r\n", keep = true, max = MAX_FRAME }

--- Whether a frame is one of these, by its first, third and fourth byte.
function lbs_wifi.is(first, count, number)
  return NUMBERS[number] and first == 0x78 and count <= MAX_POINTS
end

function lbs_wifi.decode(frame, session)
  if #frame < 13 then return nil, "too short" end
  local points = frame:byte(3)
  local at = 11 + 7 * points
  local count = frame:byte(at)
  if #frame < at + 5 or #frame < at + 3 + 5 * count + 2 then return nil, "malformed LBS and WiFi message" end
  local message = {
    type = "lbs", device_id = session.device_id, protocol_number = frame:byte(4),
    time = calendar.epoch_of_bcd(frame, 5),
  }
  fields.wifi(message, frame, 11, points)
  fields.cells(message, frame, fields.network(message, frame, at + 1), count, "I2I2")
  return message
end

--- The acknowledgement: no access points, and the date.
function lbs_wifi.reply(message)
  if not message.time then return nil end
  return string.char(0x78, 0x78, 0, message.protocol_number) ..
    mix.unhex(os.date("!%y%m%d%H%M%S", message.time)) .. "\r\n"
end

return lbs_wifi
