-- The data of a record, by the coding in its DIF (EN 13757-3:2018, 6.3.3 and annexes A to C).

local unpack = string.unpack

local data = {}

--- Digits of BCD, least significant byte first; f in front is a minus. Other digits above 9 are what a display shows
-- for an error: no number.
local function bcd(bytes)
  local digits = mix.hex(bytes:reverse())
  if digits:find("^%d*$") then return tonumber(digits) end
  if digits:find("^f%d+$") then return 0 - tonumber(digits:sub(2)) end
  return nil
end

local function integer(bytes, unsigned)
  return tonumber((unpack((unsigned and "<I" or "<i") .. #bytes, bytes)))
end

local function real(bytes)
  local value = unpack("<f", bytes)
  -- Neither infinite nor not a number.
  if value - value == 0 then return value end
end

local function nothing() return nil end

local function negative(read)
  return function(bytes)
    local value = read(bytes)
    return value and 0 - value
  end
end

--- ISO 8859-1, last character first, as UTF-8.
local function text(bytes)
  return (bytes:reverse():gsub("[\128-\255]", function(character) return utf8.char(character:byte()) end))
end

-- Size and reader by the low four bits of the DIF; d and f are none of these.
local CODINGS = {
  [0] = { 0, nothing }, [1] = { 1, integer }, [2] = { 2, integer }, [3] = { 3, integer }, [4] = { 4, integer },
  [5] = { 4, real }, [6] = { 6, integer }, [7] = { 8, integer }, [8] = { 0, nothing },
  [9] = { 1, bcd }, [10] = { 2, bcd }, [11] = { 3, bcd }, [12] = { 4, bcd }, [14] = { 6, bcd },
}

-- Integers longer than 8 bytes are reported as digits.
local MAX_INTEGER = 8

local function long_integer(bytes)
  if #bytes == 0 then return nil end
  if #bytes <= MAX_INTEGER then return integer(bytes) end
  return mix.hex(bytes:reverse())
end

--- Size and reader by the length byte of variable data.
local function variable(length)
  if length <= 0xbf then return length, text end
  if length <= 0xc9 then return length - 0xc0, bcd end
  if length >= 0xd0 and length <= 0xd9 then return length - 0xd0, negative(bcd) end
  if length >= 0xe0 and length <= 0xef then return length - 0xe0, long_integer end
  if length >= 0xf0 and length <= 0xf4 then return 4 * (length - 0xec), long_integer end
  if length == 0xf5 or length == 0xf6 then return length == 0xf5 and 48 or 64, long_integer end
end

--- The data at `at` in the coding `code` (0 to 14): its bytes, a reader that turns these into a value (which may be
-- nil) and the position behind; or nil and an error.
function data.take(bytes, at, code)
  local size, read
  if code == 13 then
    local length = bytes:byte(at)
    if not length then return nil, "ends before the length of its data" end
    at = at + 1
    size, read = variable(length)
    if not size then return nil, string.format("data of reserved length 0x%02x", length) end
  else
    size, read = CODINGS[code][1], CODINGS[code][2]
  end
  if at + size - 1 > #bytes then return nil, "ends within its data" end
  return bytes:sub(at, at + size - 1), read, at + size
end

return data
