-- Frames to Teltonika devices: preamble, length, codec, one item of a type behind its length, CRC.

--- The frame that carries `content` as an item of type `kind`; codecs 12 and 14.
return function(codec, kind, content)
  local data = string.pack(">BBBs4B", codec, 1, kind, content, 1)
  return string.pack(">I4s4I4", 0, data, mix.crc("CRC-16/ARC", data))
end
