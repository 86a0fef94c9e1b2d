-- Text in UTF-16 as UTF-8, which everything else here speaks.

local utf16 = {}

local REPLACEMENT = utf8.char(0xfffd)

local function unit(bytes) return (string.unpack(">I2", bytes)) end

local function pair(bytes)
  local high, low = string.unpack(">I2I2", bytes)
  return utf8.char(0x10000 + (high - 0xd800) * 0x400 + (low - 0xdc00))
end

local function single(bytes)
  local code = unit(bytes)
  return code >= 0xd800 and code <= 0xdfff and REPLACEMENT or utf8.char(code)
end

--- UTF-8 of big-endian UTF-16; half a surrogate pair becomes U+FFFD, and an odd last byte is left out.
function utf16.to_utf8(text)
  local parts, at = {}, 1
  while at + 1 <= #text do
    local code = unit(text:sub(at, at + 1))
    local following = at + 3 <= #text and unit(text:sub(at + 2, at + 3)) or 0
    if code >= 0xd800 and code <= 0xdbff and following >= 0xdc00 and following <= 0xdfff then
      parts[#parts + 1] = pair(text:sub(at, at + 3))
      at = at + 4
    else
      parts[#parts + 1] = single(text:sub(at, at + 1))
      at = at + 2
    end
  end
  return table.concat(parts)
end

return utf16
