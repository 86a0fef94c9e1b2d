-- Objects with methods, lists that are sorted, fields by name.
local Point = {}
Point.__index = Point
local function point(x, y) return setmetatable({ x = x, y = y }, Point) end
function Point:add(o) return point(self.x + o.x, self.y + o.y) end
return function(n)
  local sum = 0
  for i = 1, n do
    local p, list = point(i, 1), {}
    for k = 1, 10 do p = p:add(point(k, k)) list[k] = (k * 7) % 11 end
    table.sort(list)
    for name, v in pairs { a = 1, b = 2, c = 3 } do sum = sum + v + #name end
    for _, v in ipairs(list) do sum = sum + v end
    sum = sum + p.x
  end
  return sum
end
