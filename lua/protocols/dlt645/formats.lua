-- Data formats of DL/T 645 (2007: annex A), written as the standard does: XXXXXX.XX and NNNN are decimal digits, YY MM
-- DD WW hh mm ss parts of a date; a32 is 32 characters. On the wire the lowest byte comes first.

local calendar = require "utils.calendar"

local formats = {}

--- Seconds by which the meters' clock, that of China, is ahead of UTC.
formats.offset = 8 * 3600

--- How many bytes a format takes.
function formats.size(format)
  local characters = format:match("^a(%d+)$")
  return characters and tonumber(characters) or #format:gsub("%.", "") // 2
end

--- A date and time: as text, and as Unix seconds where it has a year and a time of day. Nil for one that does not
-- exist, such as the zeros of what has not happened yet.
local function date_of(format, digits)
  local parts = {}
  for i = 1, #format, 2 do parts[format:sub(i, i + 1)] = tonumber(digits:sub(i, i + 1)) end
  local time = calendar.epoch(
    2000 + (parts.YY or 0), parts.MM or 1, parts.DD or 1, parts.hh or 0, parts.mm or 0, parts.ss or 0)
  if not time then return nil end
  local day = parts.YY and string.format("20%02d-%02d-%02d", parts.YY, parts.MM, parts.DD)
    or parts.MM and string.format("%02d-%02d", parts.MM, parts.DD)
  local clock = parts.hh and parts.mm
    and string.format(parts.ss and "%02d:%02d:%02d" or "%02d:%02d", parts.hh, parts.mm, parts.ss)
  local text = day and clock and day .. " " .. clock or day or clock
    or string.format("day %02d, hour %02d", parts.DD, parts.hh)
  return text, parts.YY and parts.hh and time - formats.offset or nil
end

local function number_of(format, bytes, signed)
  local high = bytes:byte(1)
  local negative = signed and high > 127
  if negative then bytes = string.char(high - 128) .. bytes:sub(2) end
  local digits = mix.bcd(bytes)
  if not digits then return nil end
  local point = format:find(".", 1, true)
  local text = point and digits:sub(1, point - 1) .. "." .. digits:sub(point) or digits
  local number = tonumber(text)
  return negative and 0 - number or number
end

--- The value in `bytes`, which are the format's size, as on the wire without the 33: a number, or text; the Unix time
-- of a date. `signed`: the top bit is the sign. Nil for what is no value, such as ff, which stands for none.
function formats.read(format, bytes, signed)
  bytes = bytes:reverse()
  if format:find("^a") then
    local text = bytes:gsub("^[%z%s]+", ""):gsub("[%z%s]+$", "")
    return text:find("^[\x20-\x7e]+$") and text or nil
  end
  if format:find("^[XN]") then return number_of(format, bytes, signed) end
  if format:find("^#") then return mix.bcd(bytes) end
  local digits = mix.bcd(bytes)
  if not digits then return nil end
  return date_of(format, digits)
end

--- The bytes of a number, or of the digits of a date or an identifier, as on the wire without the 33. Nil when they do
-- not fit.
function formats.write(format, value, signed)
  local digits
  local size = formats.size(format)
  if format:find("^[XN]") then
    if type(value) ~= "number" then return nil end
    local point = format:find(".", 1, true)
    digits = string.format("%0" .. 2 * size .. ".0f", math.abs(value) * 10 ^ (point and #format - point or 0))
  else
    digits = type(value) == "string" and value:find("^%d+$") and value or ""
  end
  local bytes = #digits == 2 * size and mix.unhex(digits)
  if not bytes or type(value) == "number" and value < 0 and not signed then return nil end
  if type(value) == "number" and value < 0 then
    if bytes:byte(1) > 127 then return nil end
    bytes = string.char(bytes:byte(1) + 128) .. bytes:sub(2)
  end
  return bytes:reverse()
end

return formats
