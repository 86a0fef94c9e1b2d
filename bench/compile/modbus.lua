-- Ten registers of a Modbus RTU response, without the CRC.
local frames = {}
for i = 0, 3 do frames[i] = "\1\3\20" .. string.rep("\18" .. string.char(52 + i), 10) .. "\0\0" end
local function decode(s)
  local values = {}
  local count = s:byte(3) / 2
  for i = 1, count do values[i] = s:byte(2 + 2 * i) * 256 + s:byte(3 + 2 * i) end
  return { unit = s:byte(1), function_code = s:byte(2), values = values }
end
return function(n)
  local sum = 0
  for i = 1, n do local m = decode(frames[i % 4]) sum = sum + m.unit + m.values[10] end
  return sum
end
