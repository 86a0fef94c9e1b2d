-- NAME: what the device is.
-- Specification: its name, version and date.
--
-- A frame, as an example to replace:
--
--   0  "#"
--   1  length of what follows up to the checksum (u8)
--   2  kind (u8): 1 reading, 2 set the interval (to the device)
--   3  reading: temperature in 0.1 °C (i16); interval: seconds (u16)
--   5  CRC-16/MODBUS of everything before it, little endian (u16)
--
-- The device waits for 06 after each reading.

local START, READING, INTERVAL = "#", 1, 2

local reading = mix.struct { { "pad", 3 }, { "i16", "temperature", scale = 0.1 } }

return {
  name = "NAME",

  -- Cut, checked and counted natively: what comes here is a whole frame with a right checksum.
  frame = mix.frame.length {
    start = START,
    at = 2,
    size = 1,
    add = 4,
    check = { name = "CRC-16/MODBUS", endian = "little" },
  },

  -- A message; a list of messages; nil for nothing to tell; nil and an error. Never raises for what a device sent.
  decode = function(frame, session)
    local kind = frame:byte(3)
    if kind ~= READING then return nil, string.format("unknown kind %s", kind) end
    local fields, err = reading:decode(frame)
    if not fields then return nil, err end
    return { type = "reading", temperature = fields.temperature }
  end,

  -- The bytes of a message to the device, or nil and an error.
  encode = function(message, session)
    if message.type ~= "interval" then return nil, "unknown type " .. tostring(message.type) end
    local seconds = message.seconds
    if type(seconds) ~= "number" or seconds < 1 or seconds > 65535 or seconds % 1 ~= 0 then
      return nil, "seconds must be a whole number from 1 to 65535"
    end
    local body = START .. string.pack(">BBI2", 3, INTERVAL, seconds)
    return body .. string.pack("<I2", mix.crc("CRC-16/MODBUS", body))
  end,

  -- What the device waits for; sent once the message was taken over.
  reply = function(message, session) return "\x06" end,
}
