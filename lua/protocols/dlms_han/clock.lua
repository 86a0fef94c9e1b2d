-- Dates of DLMS: 12 bytes (IEC 62056-61, 5.4.1): year (2), month, day, weekday, hour, minute, second, hundredths,
-- deviation (2, minutes from local time to UTC, 8000 not specified), status.

local calendar = require "utils.calendar"

local NOT_SPECIFIED = -0x8000
local MAX_DEVIATION = 840

--- Adds the date in `bytes` to `message`: `local_time` as it was sent, and `time` in Unix seconds where its deviation
-- or `offset` (seconds ahead of UTC) says what it means. A date that does not exist adds nothing.
return function(message, bytes, offset)
  if #bytes ~= 12 then return end
  local year, month, day, _, hour, minute, second, _, deviation = string.unpack(">I2BBBBBBBi2", bytes)
  -- ff stands for seconds that are not specified.
  if second == 0xff then second = 0 end
  local wall = calendar.epoch(year, month, day, hour, minute, second)
  if not wall then return end
  message.local_time = string.format("%04d-%02d-%02dT%02d:%02d:%02d", year, month, day, hour, minute, second)
  if deviation ~= NOT_SPECIFIED and math.abs(deviation) <= MAX_DEVIATION then
    message.time = wall + deviation * 60
  elseif offset then
    message.time = wall - offset
  end
end
