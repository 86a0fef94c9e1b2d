-- How the fields of Modbus messages stand in bytes: big endian, bits from the lowest up (V1.1b3, 4.2).
-- Writing raises a message that names the field and its range; `pdu` catches it.

local fields = {}

-- Fields of a message that is written ------------------------------------------------------------------------------

--- A whole number; raises naming the field and its range.
function fields.whole(message, name, low, high, default)
  local value = message[name]
  if value == nil then value = default end
  if type(value) == "number" and value % 1 == 0 and value >= low and value <= high then return value end
  error(string.format("%s must be a whole number from %d to %d", name, low, high), 0)
end

--- A number of two bytes.
function fields.word(message, name) return fields.whole(message, name, 0, 0xffff) end

--- A list of `low` to `high` elements.
function fields.list(message, name, low, high)
  local value = message[name]
  if type(value) == "table" and #value >= low and #value <= high then return value end
  error(string.format("%s must be a list of %d to %d", name, low, high), 0)
end

--- Registers as bytes, and how many they are.
function fields.pack_words(message, name, low, high)
  local values = fields.list(message, name, low, high)
  for i, value in ipairs(values) do
    if type(value) ~= "number" or value % 1 ~= 0 or value < 0 or value > 0xffff then
      error(string.format("%s[%d] must be a whole number from 0 to 65535", name, i), 0)
    end
  end
  return string.pack(">" .. ("I2"):rep(#values), table.unpack(values)), #values
end

--- The list `bits` as bytes, the first one lowest, and how many they are.
function fields.pack_bits(message, low, high)
  local bits = fields.list(message, "bits", low, high)
  local bytes = {}
  for i = 1, #bits, 8 do
    local byte = 0
    for bit = 0, 7 do
      if bits[i + bit] then byte = byte | (1 << bit) end
    end
    bytes[#bytes + 1] = string.char(byte)
  end
  return table.concat(bytes), #bits
end

-- Parts of a message that is read ----------------------------------------------------------------------------------

--- `count` registers at `at`, which must be there.
function fields.words(bytes, at, count)
  if count == 0 then return {} end
  local values = { string.unpack(">" .. ("I2"):rep(count), bytes, at) }
  values[count + 1] = nil -- where unpack stopped
  return values
end

--- `count` bits at `at`, which must be there.
function fields.bits(bytes, at, count)
  local result, byte = {}, 0
  for i = 0, count - 1 do
    if i & 7 == 0 then byte = bytes:byte(at + (i >> 3)) end
    result[i + 1] = byte & 1 ~= 0
    byte = byte >> 1
  end
  return result
end

--- The bytes that a count announces in the byte at `at`, or nil when the message has more or fewer.
function fields.counted(bytes, at)
  local count = bytes:byte(at)
  return count and #bytes == at + count and count or nil
end

return fields
