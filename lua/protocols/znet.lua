-- ZNet packets (github.com/ebar-go/znet), big endian:
--
--   length (4, counts itself) · action (2, signed) · sequence (2, signed) · body
--
-- A packet becomes { type = "packet", action, sequence, body }; encode takes the same. The body is a string, JSON or
-- Protobuf as both sides agreed: utils/router.lua reads it and calls a function by its action.
--
-- WebSocket messages and datagrams have no length:
--
--   protocol = require("protocols.znet").datagram                         -- UDP
--   local znet = require("protocols.znet").datagram                       -- WebSocket: znet.decode(msg.data)

local HEADER = 4

local function decode_datagram(frame)
  if #frame < HEADER then return nil, "too short" end
  local action, sequence = string.unpack(">i2i2", frame)
  return { type = "packet", action = action, sequence = sequence, body = frame:sub(HEADER + 1) }
end

local function is_int16(value)
  return type(value) == "number" and value % 1 == 0 and value >= -0x8000 and value <= 0x7fff
end

local function encode_datagram(message)
  if type(message) ~= "table" then return nil, "a packet is a table" end
  local action, sequence, body = message.action, message.sequence or 0, message.body or ""
  if not is_int16(action) or not is_int16(sequence) then
    return nil, "action and sequence must be whole numbers from -32768 to 32767"
  end
  if type(body) ~= "string" then return nil, "body must be a string" end
  return string.pack(">i2i2", action, sequence) .. body
end

return {
  name = "znet",
  frame = mix.frame.length { at = 1, size = 4, add = 0 },

  decode = function(frame)
    if #frame < 4 or string.unpack(">I4", frame) ~= #frame then return nil, "the length does not match the frame" end
    return decode_datagram(frame:sub(5))
  end,

  encode = function(message)
    local packet, err = encode_datagram(message)
    return packet and string.pack(">I4", #packet + 4) .. packet, err
  end,

  datagram = { name = "znet datagram", decode = decode_datagram, encode = encode_datagram },
}
