-- The data of DL/T 645 answers, by their identifiers.

local formats = require "protocols.dlt645.formats"

local data = {}

local versions = {
  ["2007"] = require "protocols.dlt645.identifiers_2007",
  ["1997"] = require "protocols.dlt645.identifiers_1997",
}

-- Each byte is sent with 33 (hexadecimal) added, so that no data looks like a preamble.
local ADDED, PLAIN = {}, {}
for byte = 0, 255 do
  local plain, added = string.char(byte), string.char((byte + 0x33) % 256)
  ADDED[plain], PLAIN[added] = added, plain
end

--- Data as it is sent, and the way back.
function data.add(bytes) return (bytes:gsub(".", ADDED)) end
function data.remove(bytes) return (bytes:gsub(".", PLAIN)) end

--- An identifier at the begin of `bytes` as hexadecimal digits, highest first, and what follows it. Nil when it is not
-- there.
function data.identifier(bytes, version)
  local size = versions[version].digits // 2
  if #bytes < size then return nil end
  return mix.hex(bytes:sub(1, size):reverse()), bytes:sub(size + 1)
end

--- The bytes of an identifier as on the wire, and its version; nil when it is none.
function data.identifier_bytes(digits)
  local bytes = type(digits) == "string" and (#digits == 8 or #digits == 4) and mix.unhex(digits)
  if not bytes then return nil end
  return bytes:reverse(), #digits == 8 and "2007" or "1997"
end

--- What the data of an identifier is; nil when it is not known.
function data.find(digits, version) return versions[version].find(digits:lower()) end

-- Between the values of a block of DL/T 645-1997 whose number is not fixed, and behind the last.
local SEPARATOR = "\xaa"

--- Reads one value; returns the position behind it, or nil when bytes are missing.
local function read(values, identifier, spec, bytes, at)
  local size = spec.bits or formats.size(spec.format)
  local after = at + size + (spec.occurred and formats.size(spec.occurred) or 0)
  if #bytes < after - 1 then return nil end
  local raw = bytes:sub(at, at + size - 1)
  local value, time
  if spec.bits then
    value = string.unpack("<I" .. size, raw)
  elseif raw:find("[^\xff]") then
    value, time = formats.read(spec.format, raw, spec.signed)
  end
  if spec.occurred then
    local _, occurred = formats.read(spec.occurred, bytes:sub(at + size, after - 1))
    time = occurred
  end
  if value then
    values[#values + 1] = { name = spec.name, value = value, unit = spec.unit, data_identifier = identifier, time = time }
  end
  return after
end

--- The values in the data behind an identifier, and what is left of it: one, or those of a block. What is sent as ff,
-- or is no number, is left out.
function data.values(identifier, version, bytes)
  local values = {}
  local find, at = versions[version].find, 1
  local spec = find(identifier)
  if spec then
    local count = 0
    repeat
      local after = read(values, identifier, count == 0 and spec or
        setmetatable({ name = spec.name .. "_tariff_" .. count }, { __index = spec }), bytes, at)
      at, count = after or at, count + 1
    until not after or not spec.series
  else
    for _, member in ipairs(versions[version].block(identifier)) do
      if bytes:sub(at, at) == SEPARATOR and at == #bytes then at = at + 1 end
      local after = read(values, member, find(member), bytes, at)
      if not after then break end
      at = after
    end
  end
  return values, bytes:sub(at)
end

--- Unix seconds of the six bytes ss mm hh DD MM YY of a clock set by broadcast.
function data.clock(bytes)
  local _, time = formats.read("YYMMDDhhmmss", bytes:sub(1, 6))
  return time
end

--- Those six bytes, of Unix seconds.
function data.clock_bytes(time)
  local d = os.date("!*t", time + formats.offset)
  local digits = string.format("%02d%02d%02d%02d%02d%02d", d.year % 100, d.month, d.day, d.hour, d.min, d.sec)
  return formats.write("YYMMDDhhmmss", digits)
end

return data
