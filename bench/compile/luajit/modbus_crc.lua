-- modbus_crc.lua by the bit library of LuaJIT, which has no such operators.
local frames = {}
for i = 0, 3 do frames[i] = "\1\3\20" .. string.rep("\18" .. string.char(52 + i), 10) .. "\0\0" end
local bit = require "bit"
local band, bor, bxor, lshift, rshift = bit.band, bit.bor, bit.bxor, bit.lshift, bit.rshift
local function crc(s, last)
  local c = 0xffff
  for k = 1, last do
    c = bxor(c, s:byte(k))
    for _ = 1, 8 do
      if band(c, 1) ~= 0 then c = bxor(rshift(c, 1), 0xa001) else c = rshift(c, 1) end
    end
  end
  return c
end
local function decode(s)
  local values = { check = crc(s, #s - 2) }
  for i = 1, s:byte(3) / 2 do values[i] = bor(lshift(s:byte(2 + 2 * i), 8), s:byte(3 + 2 * i)) end
  return { unit = s:byte(1), function_code = s:byte(2), values = values }
end
return function(n)
  local sum = 0
  for i = 1, n do local m = decode(frames[i % 4]) sum = sum + m.values.check + m.values[10] end
  return sum
end
