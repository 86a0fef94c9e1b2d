-- The application layer: what follows the control information (CI) of a frame (EN 13757-7:2018, 5.2).

local fixed = require "protocols.mbus.fixed"
local header = require "protocols.mbus.header"
local records = require "protocols.mbus.records"

local application = {}

local SHORT_HEADER, LONG_HEADER = 4, 12

local ERRORS = {
  [0] = "unspecified error", "unimplemented CI field", "buffer too long, truncated", "too many records",
  "premature end of record", "more than 10 DIFEs", "more than 10 VIFEs", "reserved", "application busy",
  "too many readouts",
}
ERRORS[0x10], ERRORS[0x11], ERRORS[0x12], ERRORS[0x13] = "access denied", "unknown command", "wrong parameter", "unknown receiver"
ERRORS[0x14], ERRORS[0x15], ERRORS[0x16], ERRORS[0x20] = "decryption failed", "encryption failed", "signature failed", "meter not reachable"

--- Each reader takes the bytes behind the CI and the message so far; it returns the message, or nil and an error.
local function read_error(bytes, message)
  message.type = "error"
  message.code = bytes:byte(1) or 0
  message.error = ERRORS[message.code] or "reserved"
  return message
end

local function read_alarm(bytes, message)
  message.type = "alarm"
  message.alarm = bytes:byte(1)
  return message
end

local function read_data(bytes, message)
  message.type = message.type or "data"
  return records.read(bytes, 1, message)
end

local function read_fixed(bytes, message)
  message.type = "data"
  return fixed.read(bytes, 1, message)
end

--- A reader behind a header of `size` bytes.
local function behind(size, read)
  return function(bytes, message)
    if #bytes < size then return nil, "too short for its header" end
    if size == LONG_HEADER then header.read_address(bytes, 1, message) end
    header.read_short(bytes, size - 3, message)
    if header.is_encrypted(message.configuration, bytes, size + 1) then
      message.type, message.encrypted, message.data_hex = "data", true, mix.hex(bytes:sub(size + 1))
      return message
    end
    return read(bytes:sub(size + 1), message)
  end
end

--- What a master tells; `read` takes the rest, which is passed on in hexadecimal digits otherwise.
local function command(name, read)
  return function(bytes, message)
    message.type = name
    if read then return read(bytes, message) end
    if #bytes > 0 then message.data_hex = mix.hex(bytes) end
    return message
  end
end

local function read_selection(bytes, message)
  if #bytes < header.ADDRESS_SIZE then return nil, "too short for an address" end
  header.read_address(bytes, 1, message)
  return message
end

local READERS = {
  [0x50] = command("reset_application"),
  [0x51] = command("send_data", read_data),
  [0x52] = command("select", read_selection),
  [0x54] = command("synchronise"),
  [0x6e] = behind(SHORT_HEADER, read_error),
  [0x6f] = behind(LONG_HEADER, read_error),
  [0x70] = read_error,
  [0x71] = read_alarm,
  [0x72] = behind(LONG_HEADER, read_data),
  [0x73] = read_fixed,
  [0x74] = behind(SHORT_HEADER, read_alarm),
  [0x75] = behind(LONG_HEADER, read_alarm),
  [0x78] = read_data,
  [0x7a] = behind(SHORT_HEADER, read_data),
}

--- Baud rates by the CI that sets them.
application.BAUD_RATES = {
  [0xb8] = 300, [0xb9] = 600, [0xba] = 1200, [0xbb] = 2400, [0xbc] = 4800, [0xbd] = 9600, [0xbe] = 19200, [0xbf] = 38400,
}

--- Reads what follows `ci` into `message`; returns it, or nil and an error.
function application.read(ci, bytes, message)
  local baud_rate = application.BAUD_RATES[ci]
  if baud_rate then
    message.type, message.baud_rate = "set_baud_rate", baud_rate
    return message
  end
  local read = READERS[ci]
  if read then return read(bytes, message) end
  message.type, message.control_information, message.data_hex = "unknown", ci, mix.hex(bytes)
  return message
end

return application
