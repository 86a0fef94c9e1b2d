-- Numbers, dates and coordinates as text protocols of trackers write them. What is missing, no number or out of range
-- is nil.

local calendar = require "utils.calendar"

local digits = {}

--- Kilometres per hour in a knot.
digits.KNOT = 1.852

--- A decimal number, with spaces around it. No hexadecimal, exponents or names of infinity.
function digits.number(text)
  return tonumber(text and text:match("^%s*([+-]?%d*%.?%d*)%s*$"))
end

--- A whole number of up to 8 hexadecimal digits.
function digits.hex(text)
  return text and #text <= 8 and text:find("^%x+$") and tonumber(text, 16) or nil
end

--- A course in degrees, 0 to 360.
function digits.course(text)
  local course = digits.number(text)
  return course and course >= 0 and course <= 360 and course or nil
end

--- Unix seconds of a date of six digits, in `order` "dmy" or "ymd", years 2000 to 2099, and a time hhmmss in UTC.
-- Without a time it is midnight. Nil for a date or time that does not exist.
function digits.time(date, clock, order)
  local a, month, b = (date or ""):match("^(%d%d)(%d%d)(%d%d)$")
  local hour, minute, second = (clock or "000000"):match("^(%d%d)(%d%d)(%d%d)$")
  if not a or not hour then return nil end
  local year, day = tonumber(order == "dmy" and b or a), tonumber(order == "dmy" and a or b)
  return calendar.epoch(2000 + year, tonumber(month), day, tonumber(hour), tonumber(minute), tonumber(second))
end

--- Degrees of a coordinate written as degrees and minutes, "3542.2043" or "2.2043" (the degrees may be left out);
-- negative for the hemispheres S and W.
function digits.degrees(text, hemisphere)
  local degrees, minutes = (text or ""):match("^%s*(%d*)(%d%d%.%d+)$")
  if not minutes then return nil end
  return digits.signed((tonumber(degrees) or 0) + tonumber(minutes) / 60, hemisphere)
end

--- A coordinate with the sign of its hemisphere.
function digits.signed(degrees, hemisphere)
  return (hemisphere == "S" or hemisphere == "W") and 0 - degrees or degrees
end

--- Puts a position into a message: both coordinates, or none where they cannot be; returns whether they are there.
function digits.place(message, latitude, longitude)
  local exists = latitude and longitude and math.abs(latitude) <= 90 and math.abs(longitude) <= 180
  if exists then message.latitude, message.longitude = latitude, longitude end
  return exists and true or false
end

return digits
