-- Civil dates as Unix seconds. Lua's own os.time reads a table as local time, which devices do not mean.

local calendar = {}

local LENGTHS = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 }

local function days_of(year, month)
  local leap = year % 4 == 0 and (year % 100 ~= 0 or year % 400 == 0)
  return month == 2 and leap and 29 or LENGTHS[month]
end

--- Unix seconds of a date and time in UTC (proleptic Gregorian calendar), year 1 to 9999.
-- Returns nil for a date that does not exist, such as 30 February or hour 24, so that it is not invented.
function calendar.epoch(year, month, day, hour, minute, second)
  if year < 1 or year > 9999 or month < 1 or month > 12 or day < 1 or day > days_of(year, month) then return nil end
  if hour > 23 or minute > 59 or second > 59 then return nil end
  -- Years that begin in March put the leap day last: Howard Hinnant, "chrono-compatible date algorithms".
  local y = month > 2 and year or year - 1
  local day_of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
  local days = y * 365 + y // 4 - y // 100 + y // 400 + day_of_year - 719468
  return days * 86400 + hour * 3600 + minute * 60 + second
end

--- Unix seconds of six bytes at `at`: year of the century 20xx, month, day, hour, minute, second, binary.
-- `offset`: seconds by which the clock is ahead of UTC. Returns nil for an impossible date or missing bytes.
function calendar.epoch_of_bytes(bytes, at, offset)
  if #bytes < at + 5 then return nil end
  local year, month, day, hour, minute, second = string.byte(bytes, at, at + 5)
  local time = calendar.epoch(2000 + year, month, day, hour, minute, second)
  return time and time - (offset or 0)
end

local function decimal(byte) return (byte >> 4) * 10 + (byte & 15) end

--- The same of six bytes in packed decimal. Returns nil also where a half byte is no digit.
function calendar.epoch_of_bcd(bytes, at, offset)
  if #bytes < at + 5 or not mix.bcd(bytes:sub(at, at + 5)) then return nil end
  local year, month, day, hour, minute, second = string.byte(bytes, at, at + 5)
  local time = calendar.epoch(2000 + decimal(year), decimal(month), decimal(day), decimal(hour), decimal(minute),
    decimal(second))
  return time and time - (offset or 0)
end

return calendar
