-- Values in Modbus registers. Which registers hold what, and in which order their bytes stand, is each vendor's own.

local registers = {}

-- Format of each type, and where a single byte of a register stands.
local TYPES = {
  int8_high = { ">i1" }, int8_low = { ">i1", 2 }, uint8_high = { ">I1" }, uint8_low = { ">I1", 2 },
  int16 = { ">i2" }, uint16 = { ">I2" }, int32 = { ">i4" }, uint32 = { ">I4" }, int64 = { ">i8" }, uint64 = { ">I8" },
  float16 = { ">I2" }, float32 = { ">f" }, float64 = { ">d" },
}

local function type_of(name)
  return TYPES[name] or error("no register type " .. tostring(name), 3)
end

--- How many registers a value of a type takes.
function registers.count(name)
  return (string.packsize(type_of(name)[1]) + 1) // 2
end

--- The bytes of a list of registers, as on the wire.
function registers.bytes(values)
  return string.pack(">" .. ("I2"):rep(#values), table.unpack(values))
end

--- Bytes in the order of significance: `order` names each byte on the wire, A the most significant.
local function reorder(bytes, order)
  local sorted = {}
  for i = 1, #order do sorted[order:byte(i) - 64] = bytes:sub(i, i) end
  if #order ~= #bytes or #sorted ~= #order then error("no byte order for " .. #bytes .. " bytes: " .. order, 3) end
  return table.concat(sorted)
end

--- IEEE 754 binary16.
local function half(bits)
  local sign = bits & 0x8000 ~= 0 and -1 or 1
  local exponent, fraction = bits >> 10 & 31, bits & 0x3ff
  if exponent == 31 then return fraction == 0 and sign / 0 or 0 / 0 end
  if exponent == 0 then return sign * fraction * 2 ^ -24 end
  return sign * (1 + fraction / 1024) * 2 ^ (exponent - 15)
end

--- The number in `bytes` from `at` on (default 1). `options`: `type` (default "uint16"), `order` ("CDAB" is the usual
-- swap of words), `scale`. Integers of 64 bits are exact to 2^53. Returns nil and an error when bytes are missing;
-- raises for an unknown type or order.
function registers.number(bytes, options, at)
  local name = options.type or "uint16"
  local row = type_of(name)
  local size = 2 * registers.count(name)
  at = at or 1
  if #bytes < at + size - 1 then return nil, string.format("%s needs %d bytes", name, size) end
  bytes = bytes:sub(at, at + size - 1)
  if options.order then bytes = reorder(bytes, options.order) end
  local value = tonumber((string.unpack(row[1], bytes, row[2] or 1)))
  if name == "float16" then value = half(value) end
  return value * (options.scale or 1)
end

--- Bit 0 (lowest) to 15 of a register, as true or false.
function registers.bit(value, bit)
  return value >> bit & 1 ~= 0
end

return registers
