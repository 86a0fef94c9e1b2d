-- The same with the CRC in Lua.
local frame = "\1\3\20" .. string.rep("\18\52", 10) .. "\0\0"
local function crc(s, last)
  local c = 0xffff
  for k = 1, last do
    c = c ~ s:byte(k)
    for _ = 1, 8 do
      if c & 1 ~= 0 then c = (c >> 1) ~ 0xa001 else c = c >> 1 end
    end
  end
  return c
end
local function decode(s)
  local values = { check = crc(s, #s - 2) }
  for i = 1, s:byte(3) // 2 do values[i] = s:byte(2 + 2 * i) << 8 | s:byte(3 + 2 * i) end
  return { unit = s:byte(1), function_code = s:byte(2), values = values }
end
return function(n) local m for _ = 1, n do m = decode(frame) end return #m.values end
