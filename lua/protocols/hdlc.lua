-- HDLC-like framing with octet stuffing (RFC 1662): packets between 7e flags; 7e and 7d inside are 7d 5e and 7d 5d.
-- Each packet becomes { type = "data", data = … }; encode takes such a message, or a string.
--
-- The module itself checks, cuts off and appends the CRC of PPP (FCS-16, least significant byte first). Others:
--
--   protocol = require("protocols.hdlc").new { crc = "CRC-32/ISO-HDLC" }  -- FCS-32
--   protocol = require("protocols.hdlc").new {}                           -- no check

local packets = require "utils.packets"
local hdlc = packets.new("hdlc", { crc = "CRC-16/IBM-SDLC" })

--- `crc`: the check by its name in the CRC catalogue, none by default; `max`: longest packet in bytes (default the
-- server's frameBytes).
function hdlc.new(options) return packets.new("hdlc", { crc = options.crc }, options.max) end

return hdlc
