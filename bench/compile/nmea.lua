-- RMC sentences by patterns.
local lines = {}
for i = 0, 3 do lines[i] = "$GPRMC,08183" .. i .. ",A,3751.6" .. i .. ",S,14507.36,E,000." .. i .. ",360.0,130998,011.3,E*62" end
local function degrees(text, side)
  local d, m = text:match("^(%d+)(%d%d%.%d+)$")
  local v = tonumber(d) + tonumber(m) / 60
  return (side == "S" or side == "W") and 0 - v or v
end
local function decode(s)
  local body = s:match("^%$(.-)%*%x%x$")
  local fields = {}
  for field in (body .. ","):gmatch("([^,]*),") do fields[#fields + 1] = field end
  return { latitude = degrees(fields[4], fields[5]), longitude = degrees(fields[6], fields[7]), speed = tonumber(fields[8]) * 1.852 }
end
return function(n)
  local sum = 0
  for i = 1, n do local m = decode(lines[i % 4]) sum = sum + m.latitude + m.speed end
  return sum
end
