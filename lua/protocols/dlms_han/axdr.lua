-- A-XDR, the encoding of DLMS data (IEC 62056-53, IEC 61334-6): a tag, then a length where the type has none of its own,
-- then the value, big-endian.
--
-- Numbers, booleans and null (axdr.null) become Lua values; the others tables: { tag, bytes } for strings and dates,
-- { tag, … } with the elements as a list for arrays and structures.

local axdr = {}

axdr.null = setmetatable({}, { __tostring = function() return "null" end })
axdr.ARRAY, axdr.STRUCTURE, axdr.OCTETS, axdr.VISIBLE, axdr.UTF8, axdr.DATE_TIME = 1, 2, 9, 10, 12, 25

local NULL, BOOLEAN, BITS, BCD = 0, 3, 4, 13
-- Formats of the numbers; an enumeration is a number too.
local NUMBERS = {
  [5] = ">i4", [6] = ">I4", [15] = ">i1", [16] = ">i2", [17] = ">I1", [18] = ">I2", [20] = ">i8", [21] = ">I8", [22] = ">I1",
  [23] = ">f", [24] = ">d",
}
local SIZES = {}
for tag, format in pairs(NUMBERS) do SIZES[tag] = string.packsize(format) end
-- Bytes of the dates; compact arrays (19) have no fixed form here and are refused.
local DATES = { [axdr.DATE_TIME] = 12, [26] = 5, [27] = 4 }
local STRINGS = { [axdr.OCTETS] = true, [axdr.VISIBLE] = true, [axdr.UTF8] = true, [BCD] = true }

-- Lists of meters have some 50 elements in 3 levels.
local MAX_DEPTH, MAX_ELEMENTS = 8, 1000

--- A length: one byte to 127, else 80 + the number of bytes that follow. Returns it and the position behind it.
function axdr.length(bytes, at)
  local first = bytes:byte(at)
  if not first or first < 0x80 then return first, at + 1 end
  local size = first - 0x80
  if size < 1 or size > 3 or #bytes < at + size then return nil end
  return string.unpack(">I" .. size, bytes, at + 1), at + 1 + size
end

local function string_of(tag, bytes, at, size)
  if not size or #bytes < at + size - 1 then return nil, "a string is cut short" end
  return { tag = tag, bytes = bytes:sub(at, at + size - 1) }, at + size
end

local read

local function list_of(tag, bytes, at, state)
  local count
  count, at = axdr.length(bytes, at)
  if not count then return nil, "a list without its length" end
  state.elements = state.elements + count
  if state.elements > MAX_ELEMENTS then return nil, string.format("more than %d elements", MAX_ELEMENTS) end
  if state.depth == MAX_DEPTH then return nil, string.format("more than %d levels", MAX_DEPTH) end
  state.depth = state.depth + 1
  local list = { tag = tag }
  for i = 1, count do
    local value, after = read(bytes, at, state)
    if value == nil then return nil, after end
    list[i], at = value, after
  end
  state.depth = state.depth - 1
  return list, at
end

function read(bytes, at, state)
  local tag = bytes:byte(at)
  if not tag then return nil, "data is cut short" end
  at = at + 1
  local format = NUMBERS[tag]
  if format then
    if #bytes < at + SIZES[tag] - 1 then return nil, "a number is cut short" end
    return string.unpack(format, bytes, at)
  end
  if tag == NULL then return axdr.null, at end
  if tag == BOOLEAN then
    if #bytes < at then return nil, "a boolean is cut short" end
    return bytes:byte(at) ~= 0, at + 1
  end
  if tag == axdr.ARRAY or tag == axdr.STRUCTURE then return list_of(tag, bytes, at, state) end
  if DATES[tag] then return string_of(tag, bytes, at, DATES[tag]) end
  if STRINGS[tag] or tag == BITS then
    local size
    size, at = axdr.length(bytes, at)
    return string_of(tag, bytes, at, size and tag == BITS and (size + 7) // 8 or size)
  end
  return nil, string.format("data of the unknown type %d", tag)
end

--- The data at `at` and the position behind it; nil and an error for what is none.
function axdr.read(bytes, at)
  return read(bytes, at, { elements = 0, depth = 0 })
end

return axdr
