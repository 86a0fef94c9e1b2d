-- Unescaping of JT/T 808, byte by byte.
local frame = string.rep("\48\125\2\49\50\125\1\51\52\53", 12)
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
return function(n) local m for _ = 1, n do m = unescape(frame) end return #m end
