-- Application messages of DLMS (IEC 62056-53, 8; green book, 9.5) that meters push.

local axdr = require "protocols.dlms_han.axdr"
local clock = require "protocols.dlms_han.clock"
local flags = require "protocols.dlms_han.flags"
local read_list = require "protocols.dlms_han.lists"

local DATA_NOTIFICATION, BLOCK = 0x0f, 0xe0
-- Ciphered: general-glo, general-ded, general.
local GLOBAL, DEDICATED, GENERAL = 0xdb, 0xdc, 0xdd
local CIPHERING = { [GLOBAL] = "global", [DEDICATED] = "dedicated", [GENERAL] = "general" }
local LAST_BLOCK = 0x80
local MAX_BLOCKS_BYTES = 65536

--- Long invoke id and priority, a date that may be missing or an octet string with its tag, the data.
local function notification(bytes, context)
  if #bytes < 7 then return nil, "a notification is cut short" end
  local message = { type = "list", values = {} }
  context.message = message
  local at = 6
  local size = bytes:byte(at)
  if size == axdr.OCTETS then
    at = at + 1
    size = bytes:byte(at)
  end
  if size == 12 then clock(message, bytes:sub(at + 1, at + 12), context.offset)
  elseif size ~= 0 then return nil, "a notification without its date" end
  local data, after = axdr.read(bytes, at + 1 + size)
  if data == nil then return nil, after end
  local ok, err = read_list(context, data)
  if not ok then return nil, err end
  return message, after
end

--- What can be said without the key: whose it is, and the number it counts.
local function ciphered(bytes)
  local message = { type = "encrypted", ciphering = CIPHERING[bytes:byte(1)] }
  -- The third kind begins with a transaction.
  if bytes:byte(1) == GENERAL or bytes:byte(2) ~= 8 or #bytes < 10 then return message end
  local title = bytes:sub(3, 10)
  message.system_title = mix.hex(title)
  message.device_id = message.system_title
  local flag = title:sub(1, 3)
  message.manufacturer = flags[flag] or flag:match("^%u%u%u$")
  local length, at = axdr.length(bytes, 11)
  if length and #bytes >= at + 4 then
    message.security_control, message.frame_counter = string.unpack(">BI4", bytes, at)
    message.ciphertext_size = length - 5
  end
  return message
end

local read

--- A part of a message that is too long for one: control, number, acknowledged number, length, bytes.
local function block(bytes, context)
  if #bytes < 8 then return nil, "a block is cut short" end
  local control, number = string.unpack(">BI2", bytes, 2)
  local length, at = axdr.length(bytes, 7)
  if not length or #bytes < at + length - 1 then return nil, "a block is cut short" end
  local session = context.session
  local parts = number > 1 and session.blocks
  if number > 1 and not (parts and parts.number == number - 1) then
    session.blocks = nil
    return nil, string.format("block %d without those before it", number)
  end
  local joined = (parts and parts.bytes or "") .. bytes:sub(at, at + length - 1)
  session.blocks = nil
  if #joined > MAX_BLOCKS_BYTES then return nil, string.format("more than %d bytes in blocks", MAX_BLOCKS_BYTES) end
  if control & LAST_BLOCK ~= 0 then
    if joined:byte(1) == BLOCK then return nil, "blocks within blocks" end
    return read(joined, context)
  end
  session.blocks = { number = number, bytes = joined }
  return nil
end

local READERS = {
  [DATA_NOTIFICATION] = notification, [BLOCK] = block, [GLOBAL] = ciphered, [DEDICATED] = ciphered, [GENERAL] = ciphered,
}

--- Reads a message; `context`: { session, offset }. Returns it, and the position behind its data where that is known;
-- nil for one that goes on in the next block; nil and an error for what is none.
function read(bytes, context)
  local reader = READERS[bytes:byte(1)]
  if not reader then return nil, string.format("unknown message %s", mix.hex(bytes:sub(1, 1))) end
  return reader(bytes, context)
end

return read
