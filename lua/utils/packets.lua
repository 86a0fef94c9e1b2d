-- Protocol modules for framings that encode their payload: slip, cobs, hdlc.

local packets = {}

--- A module: each packet becomes { type = "data", data = payload }; encode takes such a message, or a string.
-- `kind`: the framing; `options`: those of the framing that concern its encoding; `max`: longest packet on the wire.
function packets.new(kind, options, max)
  local framing = { max = max }
  for name, value in pairs(options) do framing[name] = value end

  return {
    name = kind,
    frame = mix.frame[kind](framing),
    decode = function(frame) return { type = "data", data = frame } end,
    encode = function(message)
      local data = type(message) == "table" and message.data or message
      if type(data) ~= "string" then return nil, "a packet needs its data" end
      return mix.frame_encode[kind](data, options)
    end,
  }
end

return packets
