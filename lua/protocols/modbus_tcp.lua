-- Modbus TCP: MODBUS Messaging on TCP/IP V1.0b (3.1.3) and MODBUS Application Protocol V1.1b3.
--
--   protocol = require "protocols.modbus_tcp"           -- we ask: client
--   protocol = require("protocols.modbus_tcp").server   -- we are asked: server
--
-- Messages are those of modbus_rtu with `transaction`, by which responses find their requests: the client may have
-- 16 under way. Unit 255 is the device itself, 0 likewise (4.4.2): there is no broadcast.

local exchange = require "protocols.modbus.exchange"

-- Transaction, protocol (0), length of what follows, unit.
local HEADER = ">I2I2I2B"
local HEADER_SIZE = 7

local adu = {
  units = 255,
  transactions = true,

  unwrap = function(frame)
    if #frame <= HEADER_SIZE then return nil, "no PDU" end
    local transaction, protocol, length, unit = string.unpack(HEADER, frame)
    if protocol ~= 0 then return nil, string.format("protocol %d is not Modbus", protocol) end
    if length ~= #frame - 6 then return nil, "the length does not match the frame" end
    return { transaction = transaction, unit = unit }, frame:sub(HEADER_SIZE + 1)
  end,

  wrap = function(header, bytes)
    return string.pack(HEADER, header.transaction, 0, #bytes + 1, header.unit) .. bytes
  end,
}

local frame = mix.frame.length { at = 5, size = 2, add = 6, max = 260 }
local decode, encode = exchange.client(adu)
local server_decode, server_encode = exchange.server(adu)

return {
  name = "modbus_tcp",
  frame = frame,
  decode = decode,
  encode = encode,
  matches = exchange.matcher(function(bytes) return bytes:byte(7, 8) end),
  server = { name = "modbus_tcp server", frame = frame, decode = server_decode, encode = server_encode },
}
