-- Tag blocks: \key:value,key:value*hh\ ahead of a sentence (NMEA 0183 V4.11, 7).

local tag_block = {}

local KEYS = {
  c = "time", d = "destination", g = "group", i = "info", n = "line", r = "relative_time", s = "source", t = "text",
}
local NUMBERS = { c = true, n = true, r = true }
-- Times above are in milliseconds: in seconds it would be the year 5138.
local MOST_SECONDS = 1e11

--- Reads what stands between the backslashes; returns nil and why when it is malformed.
function tag_block.read(block)
  local content, digits = block:match("^(.*)%*(%x%x)$")
  if not content then return nil, "tag block without a checksum" end
  if mix.checksum.xor(content) ~= tonumber(digits, 16) then return nil, "tag block with a wrong checksum" end
  local tags = {}
  for _, field in ipairs(mix.str_split(content, ",")) do
    local key, value = field:match("^(%a):(.*)$")
    if not key then return nil, "a tag must be a letter, a colon and a value" end
    if NUMBERS[key] then
      value = value:match("^%d+$") and tonumber(value)
      if not value then return nil, string.format("tag %s must be a whole number", key) end
    end
    tags[KEYS[key] or key] = value
  end
  if tags.time and tags.time > MOST_SECONDS then tags.time = tags.time / 1000 end
  return tags
end

return tag_block
