-- P1, the customer port of electricity meters: DSMR 2.2, 3.0, 4.x and 5.0.2 (Netherlands), eMUCS-P1 (Belgium),
-- Luxembourg, Hungary, Ireland, and the text form of the Swedish, Finnish and Norwegian HAN ports. One telegram every
-- 1 to 10 s, 115200 8N1 (versions 2 and 3: 9600 7E1); meters are only listened to.
--
--   /XXX5 identification CR LF  CR LF  data objects, one a line  ! CRC CR LF
--
-- CRC: CRC-16/ARC from / to ! in four hexadecimal digits, absent in versions 2 and 3. A data object is an OBIS code
-- and values in parentheses: 1-0:1.8.1(000010.181*kWh).
--
-- { type = "telegram", device_id, time, identification, manufacturer, version,
--   values = { { name, value, unit, obis, time?, channel?, text? }, … },
--   devices = { { channel, device_id, medium, medium_code }, … },        sub-meters on M-Bus: gas, water, heat …
--   power_failure_log = { { time, duration }, … } }                       ends of long failures, seconds
--
-- `text` is what a value of hexadecimal digits spells. Times are those of Central Europe; for other clocks:
--
--   protocol = require("protocols.dsmr_p1").new { utc_offset = 2 }        hours ahead of UTC in winter, 1 by default

local read_data = require "protocols.dsmr_p1.data"

-- Telegrams with a year of monthly values stay below 4 KiB.
local MAX_TELEGRAM = 16384
-- Seconds: 4 KiB take 4.3 s at 9600 7E1.
local PARTIAL = 5

local p1 = { name = "dsmr_p1" }

--- A protocol module whose clock is `utc_offset` hours ahead of UTC in winter.
function p1.new(options)
  local hours = options.utc_offset or 1
  if type(hours) ~= "number" or hours < -12 or hours > 14 then error("utc_offset must be from -12 to 14", 2) end
  local offset = hours * 3600

  return {
    name = p1.name,
    frame = mix.frame.dsmr_p1 { max = MAX_TELEGRAM, partial = PARTIAL },

    decode = function(frame)
      local header, body = frame:match("^/([^\r\n]*)\r?\n(.*)!")
      if not header then return nil, "no telegram" end
      local message = { type = "telegram", manufacturer = header:match("^%a%a%a") }
      -- Behind the manufacturer stands a baud rate, then the identification; "\" marks an enhanced capability.
      message.identification = header:sub(5):gsub("^\\", "")
      return read_data(message, body, offset)
    end,
  }
end

for key, value in pairs(p1.new {}) do p1[key] = value end

return p1
