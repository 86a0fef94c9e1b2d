-- The binary encoding of SML (SML 1.04, 6): a byte of type and length, more such bytes while the highest bit is set,
-- then the content.

local byte, sub, unpack = string.byte, string.sub, string.unpack

local tlv = {}

local BOOLEAN, INTEGER, UNSIGNED, LIST = 4, 5, 6, 7
local MAX_DEPTH = 16
local MAX_LENGTH = 65536

local SIGNED_FORMATS, UNSIGNED_FORMATS = {}, {}
for size = 1, 8 do
  SIGNED_FORMATS[size], UNSIGNED_FORMATS[size] = ">i" .. size, ">I" .. size
end

--- Type, length and the position behind the type and length bytes at `at`, or nil and an error.
local function header(bytes, at)
  local first = byte(bytes, at)
  if not first then return nil, "ends where an element should begin" end
  local length, after, last = first & 15, at + 1, first
  while last >= 0x80 do
    last = byte(bytes, after)
    if not last or length > MAX_LENGTH then return nil, "impossible length" end
    length, after = length * 16 + (last & 15), after + 1
  end
  return first >> 4 & 7, length, after
end

local read

local function read_list(bytes, at, count, depth)
  if depth > MAX_DEPTH then return nil, nil, "lists within lists too deep" end
  if count > #bytes - at + 1 then return nil, nil, "a list longer than the message" end
  local list, err = { n = count }, nil
  for i = 1, count do
    list[i], at, err = read(bytes, at, depth + 1)
    if not at then return nil, nil, err end
  end
  return list, at
end

--- The element at `at` and the position behind it; nil, nil and an error when there is none.
-- Octet strings become strings, numbers numbers (exact to 2^53), lists tables whose `n` counts their elements; what is
-- not set is nil.
function read(bytes, at, depth)
  local kind, length, after = header(bytes, at)
  if not kind then return nil, nil, length end
  if kind == LIST then return read_list(bytes, after, length, depth or 0) end
  local size = length - (after - at)
  local stop = after + size
  if size < 0 or stop > #bytes + 1 then return nil, nil, "an element longer than the message" end
  if kind == 0 then return size > 0 and sub(bytes, after, stop - 1) or nil, stop end
  if kind == BOOLEAN and size == 1 then return byte(bytes, after) ~= 0, stop end
  local formats = kind == INTEGER and SIGNED_FORMATS or kind == UNSIGNED and UNSIGNED_FORMATS
  local format = formats and formats[size]
  if not format then return nil, nil, string.format("no element of type %d has %d bytes", kind, size) end
  return tonumber((unpack(format, bytes, after))), stop
end

tlv.read = read

--- The message at `at` (SML 1.04, 5.1): its transaction id, tag and body, and the position behind it; nil, nil and an
-- error. Its own CRC is not looked at: that of the transport covers it, and meters disagree about its kind.
function tlv.message(bytes, at)
  local kind, count, after = header(bytes, at)
  if kind ~= LIST or count ~= 6 then return nil, nil, "no message" end
  local fields = {}
  for i = 1, 5 do
    local err
    fields[i], after, err = read(bytes, after, 1)
    if not after then return nil, nil, err end
  end
  local choice = fields[4]
  if type(choice) ~= "table" or type(choice[1]) ~= "number" then return nil, nil, "a message without a body" end
  -- The sixth element is a zero, which some leave out.
  if byte(bytes, after) == 0 then after = after + 1 end
  return { transaction = fields[1], tag = choice[1], body = choice[2] }, after
end

return tlv
