-- COBS, Consistent Overhead Byte Stuffing (Cheshire and Baker, 1999): packets that end with 00 and hold no other.
-- Each packet becomes { type = "data", data = … }; encode takes such a message, or a string.
--
--   protocol = require "protocols.cobs"
--   protocol = require("protocols.cobs").new { reduced = true }           -- COBS/R

local packets = require "utils.packets"
local cobs = packets.new("cobs", {})

--- `reduced`: COBS/R; `max`: longest packet in bytes (default the server's frameBytes).
function cobs.new(options) return packets.new("cobs", { reduced = options.reduced }, options.max) end

return cobs
