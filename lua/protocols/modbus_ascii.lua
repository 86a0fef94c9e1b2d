-- Modbus ASCII: MODBUS over Serial Line V1.02 (2.5.2) and MODBUS Application Protocol V1.1b3.
--
--   ":" · unit · PDU · LRC · CR LF, each byte as two hexadecimal digits
--
--   protocol = require "protocols.modbus_ascii"            -- we ask: client (master)
--   protocol = require("protocols.modbus_ascii").server    -- we are asked: server (slave)
--   protocol = require("protocols.modbus_ascii").monitor   -- we listen to both
--
-- Messages are those of modbus_rtu. A colon begins a frame at any time, so what was cut off before it is lost alone.

local exchange = require "protocols.modbus.exchange"

local adu = {
  units = 247,
  broadcast = true,

  unwrap = function(frame)
    local bytes = mix.unhex(frame:match(":(%x+)[\r\n]*$") or "-")
    if not bytes or #bytes < 3 then return nil, "not a colon and the digits of at least 3 bytes" end
    -- The LRC over a frame with its own LRC is 0.
    if mix.checksum.lrc(bytes) ~= 0 then return nil, "LRC error" end
    return { unit = bytes:byte(1) }, bytes:sub(2, -2)
  end,

  wrap = function(header, bytes)
    local frame = string.char(header.unit) .. bytes
    return ":" .. mix.hex(frame .. string.char(mix.checksum.lrc(frame))):upper() .. "\r\n"
  end,
}

-- Unit, 253 bytes of PDU and LRC in two digits each, colon, CR LF (2.5.2.1). Characters may be a second apart.
local frame = mix.frame.delimiter { start = ":", ends = "\r\n", max = 513, partial = 1, rest = true }
local decode, encode = exchange.client(adu)
local server_decode, server_encode = exchange.server(adu)

return {
  name = "modbus_ascii",
  frame = frame,
  decode = decode,
  encode = encode,
  matches = exchange.matcher(function(bytes) return tonumber(bytes:sub(2, 3), 16), tonumber(bytes:sub(4, 5), 16) end),

  server = { name = "modbus_ascii server", frame = frame, decode = server_decode, encode = server_encode },

  monitor = {
    name = "modbus_ascii monitor",
    frame = frame,
    decode = function(bytes) return decode(bytes, {}) end,
  },
}
