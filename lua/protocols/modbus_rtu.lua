-- Modbus RTU: MODBUS over Serial Line V1.02 (2.5.1) and MODBUS Application Protocol V1.1b3.
--
--   protocol = require "protocols.modbus_rtu"            -- we ask: client (master)
--   protocol = require("protocols.modbus_rtu").server    -- we are asked: server (slave)
--   protocol = require("protocols.modbus_rtu").monitor   -- we only listen to both
--
-- Client: conn:send { unit = 1, function_code = 3, address = 0, quantity = 2 }, then on_message gets
-- { type = "response", unit = 1, function_code = 3, address = 0, values = { 17, 4 } } or
-- { type = "exception", unit = 1, function_code = 3, exception = 2, exception_name = "illegal data address" }.
-- One request at a time; unit 0 is a broadcast, which nobody answers.
-- Server: on_message gets { type = "request", … }; see protocols/modbus/exchange.lua for answering it.

local exchange = require "protocols.modbus.exchange"

local CRC = "CRC-16/MODBUS"

local adu = {
  units = 247,
  broadcast = true,

  unwrap = function(frame)
    -- The CRC over a frame with its own CRC is 0. Framers have seen to it, but not of a datagram or a silence.
    if #frame < 4 or mix.crc(CRC, frame) ~= 0 then return nil, "CRC error" end
    return { unit = frame:byte(1) }, frame:sub(2, -3)
  end,

  wrap = function(header, bytes)
    local frame = string.char(header.unit) .. bytes
    return frame .. string.pack("<I2", mix.crc(CRC, frame))
  end,
}

local decode, encode = exchange.client(adu)
local server_decode, server_encode = exchange.server(adu)

return {
  name = "modbus_rtu",
  frame = mix.frame.modbus_rtu { side = "client" },
  decode = decode,
  encode = encode,
  matches = exchange.matcher(function(bytes) return bytes:byte(1, 2) end),

  server = {
    name = "modbus_rtu server",
    frame = mix.frame.modbus_rtu { side = "server" },
    decode = server_decode,
    encode = server_encode,
  },

  monitor = {
    name = "modbus_rtu monitor",
    frame = mix.frame.modbus_rtu { side = "both" },
    decode = function(frame) return decode(frame, {}) end,
  },
}
