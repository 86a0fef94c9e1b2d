-- DL/T 645-2007 and DL/T 645-1997: electricity meters of China, on RS-485 (2400 8E1 by default) or infrared.
--
--   fe fe fe fe · 68 · address (6, BCD, low byte first) · 68 · control · length · data, each byte + 33 · sum · 16
--
-- The sum is that of all bytes from the first 68. Control: bit 7 an answer, bit 6 an error, bit 5 more data follows,
-- below them the function code. The data of a read begins with its identifier: four bytes (2007) or two (1997).
--
-- conn:send { device_id = "000000000161", data_identifier = "02010100" } asks; on_message gets
-- { type = "response", device_id, command = "read", data_identifier, values = { { name, value, unit, data_identifier,
--   time? }, … }, version, control, more?, sequence? } or { type = "error", error_code, errors = { … } }.
-- `more`: conn:send { command = "read_next", device_id, data_identifier, sequence = 1 … } gets the next part; the last
-- part's values are those of all parts. Requests of others are { type = "request" }; our own, which many converters
-- echo, are passed over. Some meters answer a request to any address (aaaaaaaaaaaa) without telling theirs: no
-- `device_id`. Times are those of China.
--
-- Commands: read (default; `count`, `since` for load records), read_next, write (`password`, `operator`, `value` or
-- `data_hex`), broadcast_time (`time`), and with `data_hex` read_address, write_address, freeze, change_baud_rate,
-- change_password, clear_demand, clear_meter, clear_events, control, output_signal; `version = "1997"` for the codes
-- of that version.

local commands = require "protocols.dlt645.commands"
local data = require "protocols.dlt645.data"

local ANSWER, ERROR, MORE, FUNCTION = 0x80, 0x40, 0x20, 0x1f
local PREAMBLE = "\xfe\xfe\xfe\xfe"
local WILDCARD, BROADCAST = "aaaaaaaaaaaa", "999999999999"
-- Seconds: the longest frame takes 2.5 s at 1200 8E1.
local PARTIAL = 3
-- All parts of one answer together.
local MAX_PARTS_BYTES = 65536

-- Bits of the error byte, lowest first.
local ERRORS = {
  ["2007"] = { "other", "no requested data", "wrong password or not authorised", "baud rate cannot be changed",
    "too many year zones", "too many day periods", "too many tariffs" },
  ["1997"] = { "illegal data", "unknown identifier", "wrong password", nil, "too many year zones",
    "too many day periods", "too many tariffs" },
}

local function read_error(message, bytes)
  if #bytes < 1 then return nil, "an error without its code" end
  message.type, message.error_code, message.errors = "error", bytes:byte(1), {}
  local texts = message.command == "unknown" and {} or ERRORS[message.version]
  for bit = 0, 6 do
    local text = texts[bit + 1]
    if text and message.error_code >> bit & 1 ~= 0 then message.errors[#message.errors + 1] = text end
  end
  return message
end

--- Joins the parts of an answer that came in several frames: returns what is to be read.
local function join(message, bytes, session)
  local parts = session.parts
  local key = message.address .. message.data_identifier
  local following = message.command == "read_next"
  local before = following and parts and parts.key == key and parts.bytes or ""
  local joined = #before + #bytes <= MAX_PARTS_BYTES and before .. bytes or bytes
  session.parts = message.more and { key = key, bytes = joined } or nil
  return message.more and bytes or joined
end

local function read_data(message, bytes, session)
  local identifier, rest = data.identifier(bytes, message.version)
  if not identifier then return nil, "no data identifier" end
  message.data_identifier = identifier
  if message.type == "request" then
    if message.command == "read_next" and #rest == 1 then message.sequence = rest:byte(1) end
    if #rest > 0 then message.data_hex = mix.hex(rest) end
    return message
  end
  if message.command == "read_next" and message.version == "2007" and #rest > 0 then
    message.sequence, rest = rest:byte(-1), rest:sub(1, -2)
  end
  message.data_hex = mix.hex(rest)
  local left
  message.values, left = data.values(identifier, message.version, join(message, rest, session))
  if #left > 0 and #message.values > 0 then message.rest_hex = mix.hex(left) end
  return message
end

local function read(frame, session)
  if #frame < 12 or frame:byte(8) ~= 0x68 or #frame ~= frame:byte(10) + 12 then return nil, "no DL/T 645 frame" end
  if mix.checksum.sum8(frame, 1, -3) ~= frame:byte(-2) then return nil, "checksum error" end
  local address, control = mix.hex(frame:sub(2, 7):reverse()), frame:byte(9)
  local bytes = data.remove(frame:sub(11, -3))
  local row = commands.by_code[control & FUNCTION]
  local message = {
    type = control & ANSWER == 0 and "request" or "response",
    address = address, control = control,
    command = row and row.command or "unknown", version = row and row.version or "2007",
    more = control & MORE ~= 0 or nil,
  }
  if address ~= WILDCARD and address ~= BROADCAST then message.device_id = address end
  local command = message.command
  if message.type == "response" and control & ERROR ~= 0 then return read_error(message, bytes) end
  if command == "read" or command == "read_next" or command == "write" and message.type == "request" then
    return read_data(message, bytes, session)
  end
  if #bytes > 0 then message.data_hex = mix.hex(bytes) end
  if command == "read_address" and message.type == "response" and #bytes >= 6 then
    message.device_id = mix.hex(bytes:sub(1, 6):reverse())
  elseif command == "broadcast_time" and #bytes >= 6 then
    message.time = data.clock(bytes)
  end
  return message
end

local function decode(frame, session)
  -- A datagram comes with its preamble.
  frame = frame:gsub("^\xfe+", "")
  local own = session.sent
  session.sent = nil
  if frame == own then return nil end
  return read(frame, session)
end

--- The address on the wire: decimal digits, zeros in front; a in place of digits stands for any.
local function address_bytes(message)
  local address = message.device_id or message.address
  if message.command == "broadcast_time" then address = address or BROADCAST end
  if message.command == "read_address" then address = address or WILDCARD end
  if type(address) ~= "string" or #address > 12 or not address:lower():find("^[a%d]+$") then
    return nil, "device_id must be 1 to 12 decimal digits"
  end
  return mix.unhex(("0"):rep(12 - #address) .. address):reverse()
end

local function encode(message, session)
  if type(message) ~= "table" then return nil, "a request is a table" end
  local address, err = address_bytes(message)
  if not address then return nil, err end
  local code, bytes = commands.build(message)
  if not code then return nil, bytes end
  local head = "\x68" .. address .. "\x68" .. string.char(code, #bytes) .. data.add(bytes)
  local frame = head .. string.char(mix.checksum.sum8(head), 0x16)
  session.sent = frame
  return PREAMBLE .. frame
end

--- Whether an answer is that of a request, a message; of bytes only the address is known (behind the preamble).
local function matches(request, message)
  if message.type == "request" then return false end
  local address, command = request.device_id or request.address, request.command or "read"
  if type(request) == "string" then
    address, command = mix.hex(request:match("\x68(......)\x68"):reverse()), nil
  end
  if address and not address:find("a") and ("0"):rep(12 - #address) .. address ~= message.address then
    return false, "wrong_unit"
  end
  if command and message.command ~= command then return false, "wrong_function" end
  if type(request) == "table" and message.type == "response" and request.data_identifier and message.data_identifier
    and request.data_identifier:lower() ~= message.data_identifier then return false, "wrong_function" end
  return true
end

return {
  name = "dlt645",
  frame = mix.frame.dlt645 { partial = PARTIAL },
  decode = decode,
  encode = encode,
  matches = matches,
}
