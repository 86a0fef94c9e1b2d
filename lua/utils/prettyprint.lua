-- After require "utils.prettyprint", print shows tables with all they hold:
--
--   print({ type = "login", cells = { 1, 2 } })   -->   { cells = { 1, 2 }, type = "login" }

local MAX_DEPTH = 8
local MAX_ITEMS = 200

local show

local function by_type_and_value(a, b)
  if type(a) ~= type(b) then return type(a) < type(b) end
  if type(a) == "number" or type(a) == "string" then return a < b end
  return tostring(a) < tostring(b)
end

local function show_key(key)
  if type(key) == "string" and key:find("^[%a_][%w_]*$") then return key end
  return "[" .. show(key, {}, 0) .. "]"
end

local function show_table(value, open, depth)
  if open[value] then return "{ itself }" end
  if depth > MAX_DEPTH then return "{ … }" end
  open[value] = true
  local items, length = {}, #value
  for i = 1, math.min(length, MAX_ITEMS) do items[i] = show(value[i], open, depth) end
  local keys = {}
  for key in pairs(value) do
    local in_list = type(key) == "number" and key >= 1 and key <= length and key % 1 == 0
    if not in_list then keys[#keys + 1] = key end
  end
  table.sort(keys, by_type_and_value)
  for _, key in ipairs(keys) do
    if #items >= MAX_ITEMS then break end
    items[#items + 1] = show_key(key) .. " = " .. show(value[key], open, depth)
  end
  if length + #keys > #items then items[#items + 1] = "…" end
  open[value] = nil
  return #items == 0 and "{}" or "{ " .. table.concat(items, ", ") .. " }"
end

--- A value as text; `open` holds the tables around it, `depth` is their number.
function show(value, open, depth)
  if type(value) == "string" then return string.format("%q", value) end
  if type(value) ~= "table" then return tostring(value) end
  local metatable = getmetatable(value)
  if type(metatable) == "table" and metatable.__tostring then return tostring(value) end
  return show_table(value, open, depth + 1)
end

local plain = print

function print(...)
  local values = table.pack(...)
  for i = 1, values.n do
    if type(values[i]) == "table" then values[i] = show(values[i], {}, 0) end
  end
  plain(table.unpack(values, 1, values.n))
end

--- The text of any value, as print shows it.
return function(value) return show(value, {}, 0) end
