-- Frames that begin with their length.
-- Each becomes { type = "data", data = … }; encode takes such a message, or a string.
--
-- The module itself reads a length of 4 bytes, big endian, which counts what follows it. Others are made:
--
--   protocol = require("protocols.length").new { size = 2, endian = "little", inclusive = true }

local length = { name = "length" }

--- A protocol module. `size`: bytes of the length, 1 to 4 (default 4); `endian`: "big" (default) or "little";
-- `inclusive`: the length counts itself too; `max`: largest frame in bytes (default the server's frameBytes).
function length.new(options)
  local size = options.size or 4
  local own = options.inclusive and size or 0
  local format = (options.endian == "little" and "<" or ">") .. "I" .. size
  local limit = 2 ^ (8 * size) - 1 - own

  return {
    name = length.name,
    frame = mix.frame.length { at = 1, size = size, endian = options.endian, add = size - own, max = options.max },

    decode = function(frame)
      if #frame < size or string.unpack(format, frame) ~= #frame - size + own then
        return nil, "the length does not match the frame"
      end
      return { type = "data", data = frame:sub(size + 1) }
    end,

    encode = function(message)
      local data = type(message) == "table" and message.data or message
      if type(data) ~= "string" then return nil, "a frame needs its data" end
      if #data > limit then return nil, string.format("%d bytes do not fit: at most %d", #data, limit) end
      return string.pack(format, #data + own) .. data
    end,
  }
end

for key, value in pairs(length.new {}) do length[key] = value end

return length
