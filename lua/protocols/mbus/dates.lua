-- Points in time (EN 13757-3:2018, annex A: types F, G, I and J). They carry no time zone.

local calendar = require "utils.calendar"

local byte = string.byte

local dates = {}

--- Year, month and day of two bytes at `at`. The year of the century is split over both; meters that leave `century`
-- at 0 mean 1981 to 2080.
local function date(bytes, at, century)
  local low, high = byte(bytes, at, at + 1)
  local year = (low >> 5) | (high >> 4 << 3)
  if year > 99 then return nil end
  year = year + 1900 + 100 * century
  if year < 1981 then year = year + 100 end
  return year, high & 15, low & 31
end

local function date_and_time(bytes, minute, hour, at, century, second)
  local year, month, day = date(bytes, at, century)
  if not year then return nil end
  local time = calendar.epoch(year, month, day, hour, minute, second)
  if not time then return nil end
  return string.format("%04d-%02d-%02dT%02d:%02d:%02d", year, month, day, hour, minute, second), time
end

--- By the number of bytes. Each returns the text and, where it has a date and a time, Unix seconds as if the clock
-- showed UTC; nil for what the meter marks as invalid and for what no calendar has.
local READERS = {
  [2] = function(bytes)
    local year, month, day = date(bytes, 1, 0)
    if not year or not calendar.epoch(year, month, day, 0, 0, 0) then return nil end
    return string.format("%04d-%02d-%02d", year, month, day)
  end,
  [3] = function(bytes)
    local second, minute, hour = byte(bytes, 1) & 63, byte(bytes, 2) & 63, byte(bytes, 3) & 31
    if hour > 23 or minute > 59 or second > 59 then return nil end
    return string.format("%02d:%02d:%02d", hour, minute, second)
  end,
  [4] = function(bytes)
    local minute, hour = byte(bytes, 1, 2)
    if minute & 0x80 ~= 0 then return nil end
    return date_and_time(bytes, minute & 63, hour & 31, 3, hour >> 5 & 3, 0)
  end,
  [6] = function(bytes)
    local second, minute, hour = byte(bytes, 1, 3)
    if minute & 0x80 ~= 0 then return nil end
    return date_and_time(bytes, minute & 63, hour & 31, 4, 0, second & 63)
  end,
}

--- "2012-07-10T15:25:00" and Unix seconds, "2012-07-10" or "15:25:00", of 4 or 6, 2, 3 bytes; else nil.
function dates.read(bytes)
  local read = READERS[#bytes]
  if read then return read(bytes) end
end

return dates
