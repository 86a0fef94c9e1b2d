-- Times of P1 telegrams: YYMMDDhhmmssX of the local clock, X being S in summer and W in winter (DSMR 5.0.2, P1
-- companion standard, 6.4). Versions 2 and 3 leave X out: then the calendar tells (directive 2000/84/EC).

local calendar = require "utils.calendar"

local HOUR, DAY = 3600, 86400

--- When the last Sunday of a month with 31 days begins, on the local clock.
local function last_sunday(year, month)
  local last = calendar.epoch(year, month, 31, 0, 0, 0)
  -- 1 January 1970 was a Thursday.
  return last - (last // DAY + 4) % 7 * DAY
end

local function is_summer(year, wall)
  return wall >= last_sunday(year, 3) + 2 * HOUR and wall < last_sunday(year, 10) + 2 * HOUR
end

--- Unix seconds of such a time; nil for anything else and for dates that do not exist. `offset`: seconds by which
-- the clock is ahead of UTC in winter.
return function(text, offset)
  local year, month, day, hour, minute, second, season =
    text:match("^(%d%d)(%d%d)(%d%d)(%d%d)(%d%d)(%d%d)([SW]?)$")
  if not year then return nil end
  year = 2000 + tonumber(year)
  local wall = calendar.epoch(year, tonumber(month), tonumber(day), tonumber(hour), tonumber(minute), tonumber(second))
  if not wall then return nil end
  local summer = season == "S" or season == "" and is_summer(year, wall)
  return wall - offset - (summer and HOUR or 0)
end
