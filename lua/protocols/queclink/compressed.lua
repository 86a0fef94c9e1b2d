-- Positions of one second each in a HEX frame: a whole one, then differences to the one before.
--
--   whole        01 in the top bits · fix · speed (12 bits) · azimuth (9) · coordinates · time, of the first one only
--   difference   10 in the top bits · fix · speed (7, signed) · azimuth (7) · longitude (12) · latitude (11)
--   other        one byte: no fix, or as before

--- Reads `count` bits behind the first `from` of the number `bits`, which has `size`.
local function bits_at(bits, size, from, count, signed)
  local value = bits // 2 ^ (size - from - count) % 2 ^ count
  return signed and value >= 2 ^ (count - 1) and value - 2 ^ count or value
end

local function position(longitude, latitude, speed, course, time)
  longitude, latitude = longitude / 1000000, latitude / 1000000
  local known = math.abs(latitude) <= 90 and math.abs(longitude) <= 180
  return {
    type = "location", time = time, valid = known, speed = speed / 10,
    latitude = known and latitude or nil, longitude = known and longitude or nil,
    course = course >= 0 and course <= 360 and course or nil,
  }
end

--- Decodes the positions from `at` to `last`, behind their number (2).
return function(frame, at, last)
  local messages = {}
  local longitude, latitude, speed, course, time
  local count
  count, at = string.unpack(">I2", frame, at)
  for _ = 1, count do
    if at > last then break end
    local kind = frame:byte(at) >> 6
    time = time and time + 1
    if kind == 1 and at + 10 <= last then
      local packed
      packed, longitude, latitude, at = string.unpack(">I3i4i4", frame, at)
      speed, course = bits_at(packed, 24, 3, 12), bits_at(packed, 24, 15, 9)
      if not time then
        if at + 3 > last then break end
        time, at = string.unpack(">I4", frame, at)
      end
      messages[#messages + 1] = position(longitude, latitude, speed, course, time)
    elseif kind == 2 and longitude and at + 4 <= last then
      local packed
      packed, at = string.unpack(">I5", frame, at)
      speed, course = speed + bits_at(packed, 40, 3, 7, true), course + bits_at(packed, 40, 10, 7, true)
      longitude, latitude = longitude + bits_at(packed, 40, 17, 12, true), latitude + bits_at(packed, 40, 29, 11, true)
      messages[#messages + 1] = position(longitude, latitude, speed, course, time)
    else
      at = at + 1 -- no fix, or as before
    end
  end
  return messages
end
