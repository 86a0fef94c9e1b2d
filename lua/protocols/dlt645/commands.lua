-- Requests of DL/T 645 (2007: chapter 7; 1997: chapter 7): their data by command, without the 33.

local data = require "protocols.dlt645.data"
local formats = require "protocols.dlt645.formats"

local commands = {}

-- Function codes by command, of both versions; `read` and `write` follow the identifier's version.
local CODES = {
  ["2007"] = {
    security = 0x03, broadcast_time = 0x08, read = 0x11, read_next = 0x12, read_address = 0x13, write = 0x14,
    write_address = 0x15, freeze = 0x16, change_baud_rate = 0x17, change_password = 0x18, clear_demand = 0x19,
    clear_meter = 0x1a, clear_events = 0x1b, control = 0x1c, output_signal = 0x1d,
  },
  ["1997"] = {
    read = 0x01, read_next = 0x02, reread = 0x03, write = 0x04, write_address = 0x0a, change_baud_rate = 0x0c,
    change_password = 0x0f, clear_demand = 0x10,
  },
}

-- The way back: function code to command and version. 03 is the security authentication of 2007.
commands.by_code = {}
for _, version in ipairs { "1997", "2007" } do
  for command, code in pairs(CODES[version]) do commands.by_code[code] = { command = command, version = version } end
end

-- Longest data of a request (2007: 5.2.6; writing), and of a read block.
local MAX_DATA = 200

--- Bytes of an optional field of hexadecimal digits.
local function hex_field(message, name, size)
  local digits = message[name]
  if digits == nil then return nil end
  local bytes = type(digits) == "string" and mix.unhex(digits)
  if not bytes or size and #bytes ~= size then
    return nil, string.format("%s must be %s hexadecimal digits", name, size and 2 * size or "an even number of")
  end
  return bytes
end

local function whole(value, low, high)
  return type(value) == "number" and value % 1 == 0 and value >= low and value <= high
end

--- Whether a time is one that six bytes can hold: years 2000 to 2099, on the meters' clock.
local function is_time(value)
  return type(value) == "number" and value >= 946684800 - formats.offset and value < 4102444800 - formats.offset
end

--- Blocks of a load record: how many, and since when (minutes count).
local function records(message)
  if message.count == nil then return "" end
  if not whole(message.count, 1, 255) then return nil, "count must be a whole number from 1 to 255" end
  local since = ""
  if message.since ~= nil then
    if not is_time(message.since) then return nil, "since must be Unix seconds of 2000 to 2099" end
    since = data.clock_bytes(message.since):sub(2)
  end
  return string.char(message.count) .. since
end

--- The data to write: `value` in the identifier's format, or `data_hex` as on the wire.
local function written(message, version)
  local bytes, err = hex_field(message, "data_hex")
  if bytes or err then return bytes, err end
  local spec = data.find(message.data_identifier, version)
  local written_value = spec and spec.format and formats.write(spec.format, message.value, spec.signed)
  if not written_value then return nil, "value does not fit the identifier: give data_hex" end
  return written_value
end

-- By command: the data behind the identifier, or nil and an error.
local BUILDERS = {
  read = function(message, version)
    if version == "1997" then return "" end
    return records(message)
  end,
  read_next = function(message, version)
    if version == "1997" then return "" end
    if not whole(message.sequence, 0, 255) then return nil, "sequence must be a whole number from 0 to 255" end
    return string.char(message.sequence)
  end,
  write = function(message, version)
    local password, err = hex_field(message, "password", 4)
    if err then return nil, err end
    local operator
    operator, err = hex_field(message, "operator", 4)
    if err then return nil, err end
    local bytes
    bytes, err = written(message, version)
    if not bytes then return nil, err end
    -- 2007: password and operator stand before the data; 1997: the password, where the meter has one.
    if version == "2007" then return (password or "\0\0\0\0") .. (operator or "\0\0\0\0") .. bytes end
    return (password or "") .. bytes
  end,
}

--- Function code and data of a message { command, … }; nil and an error for one that cannot be.
function commands.build(message)
  local command = message.command or "read"
  if BUILDERS[command] then
    local identifier, version = data.identifier_bytes(message.data_identifier)
    if not identifier then return nil, "data_identifier must be 8 or 4 hexadecimal digits" end
    local rest, err = BUILDERS[command](message, version)
    if not rest then return nil, err end
    if #identifier + #rest > MAX_DATA then return nil, string.format("data must have at most %d bytes", MAX_DATA) end
    return CODES[version][command], identifier .. rest
  end
  local code = CODES["2007"][command] or CODES["1997"][command]
  if message.version == "1997" then code = CODES["1997"][command] end
  if not code then return nil, "no command " .. tostring(command) end
  if command == "broadcast_time" then
    if not is_time(message.time) then return nil, "time must be Unix seconds of 2000 to 2099" end
    return code, data.clock_bytes(message.time)
  end
  local bytes, err = hex_field(message, "data_hex")
  if err then return nil, err end
  if bytes and #bytes > MAX_DATA then return nil, string.format("data must have at most %d bytes", MAX_DATA) end
  return code, bytes or ""
end

return commands
