-- Unescaping of JT/T 808, byte by byte.
local frames = {}
for i = 0, 3 do frames[i] = string.rep("\48\125\2\49\50\125\1\51\52" .. string.char(53 + i), 12) end
local function unescape(s)
  local out, n, i = {}, 0, 1
  while i <= #s do
    local b = s:byte(i)
    if b == 125 then i = i + 1 b = s:byte(i) == 2 and 126 or 125 end
    n = n + 1
    out[n] = string.char(b)
    i = i + 1
  end
  return table.concat(out)
end
return function(n)
  local sum = 0
  for i = 1, n do sum = sum + unescape(frames[i % 4]):byte(-1) end
  return sum
end
