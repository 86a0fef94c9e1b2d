-- IEC 62056-21 (formerly IEC 61107, EN 61107): meters read by an optical head or a current loop, 300 7E1 to begin with;
-- modes A to D and the programming mode, and the sign-on of mode E.
--
--   we:    /?address! CR LF                          { type = "request", device_address }
--   meter: /XXXZ identification CR LF                { type = "identification", manufacturer, baud_char, baud_rate, … }
--   we:    ACK V Z Y CR LF                           { type = "option_select", protocol_char, baud_char, mode_char }
--   meter: STX data CR LF ! CR LF ETX BCC            { type = "readout", device_id, values = { { name, value, unit,
--                                                      obis, more? }, … } }
--   programming mode, Y = 1:
--   meter: SOH P 0 STX (operand) ETX BCC             { type = "command", command = "P", command_type = "0", value }
--   we:    SOH R 1 STX address(value) ETX BCC        { type = "command", command = "R", command_type = "1", address, … }
--   meter: STX address(value*unit) ETX BCC           { type = "data", values }; EOT for ETX: { …, partial = true }
--   meter: ACK, NAK, STX (ERxx) ETX BCC              { type = "ack" }, { type = "nak" }, { type = "error", error }
--
-- conn:send takes the messages of "we", and ack and nak. BCC: the XOR of all behind the first SOH or STX. A meter of
-- mode D sends its read-out by lines without being asked; data lines without an identification before them become
-- { type = "data" } one by one. Echoes of optical heads come back as messages of "we".
--
-- Baud rates: Z of the identification is the fastest rate of the meter, Z of the option select the one both change to
-- behind it. The serial port here keeps its rate, so select the rate it has: "0", 300 Bd, or, for meters that always
-- speak at one rate, theirs.

local data = require "protocols.iec62056_21.data"

local SOH, STX, EOT, ACK, NAK = 0x01, 0x02, 0x04, 0x06, 0x15
local SLASH = 0x2f

local BAUD_RATES = { ["0"] = 300, ["1"] = 600, ["2"] = 1200, ["3"] = 2400, ["4"] = 4800, ["5"] = 9600, ["6"] = 19200 }
local MODE_B_RATES = { A = 600, B = 1200, C = 2400, D = 4800, E = 9600, F = 19200 }

-- A read-out with its stored months; seconds that one takes at 300 Bd.
local MAX_READOUT, PARTIAL = 16384, 600

local function request(line, session)
  session.lines = nil
  local address = line:match("^/%?([^!]*)!")
  return { type = "request", device_address = address, device_id = address ~= "" and address or nil }
end

--- Manufacturer, baud rate, and behind "\" what else the meter can: "2" is mode E.
local function identification(line, session)
  local manufacturer, baud, rest = line:match("^/(%a%a%a)(.)(.*)$")
  if not manufacturer then return nil, "no identification" end
  local mode = BAUD_RATES[baud] and "C" or MODE_B_RATES[baud] and "B" or "A"
  if mode == "C" and rest:find("^\\2") then mode = "E" end
  -- What follows by lines is the read-out of mode D.
  session.lines = {}
  session.size = 0
  return {
    type = "identification", manufacturer = manufacturer, baud_char = baud,
    baud_rate = BAUD_RATES[baud] or MODE_B_RATES[baud], mode = mode,
    identification = rest:gsub("\\", ""),
  }
end

--- A line of data: one of a read-out that has begun, or one for itself.
local function data_line(line, session)
  local lines = session.lines
  if not lines then
    if line:find("^!") then return nil end
    return data.read({ type = "data" }, line)
  end
  if line:find("^!") then
    session.lines = nil
    return data.read({ type = "readout" }, table.concat(lines, "\n"))
  end
  session.size = session.size + #line
  if session.size > MAX_READOUT then
    session.lines = nil
    return nil, string.format("a read-out of more than %d bytes", MAX_READOUT)
  end
  lines[#lines + 1] = line
  return nil
end

--- The content between the begin and the end of a block; nil when its check character is wrong.
local function content_of(frame)
  if #frame < 3 or mix.checksum.xor(frame, 2, -2) ~= frame:byte(-1) then return nil, "BCC error" end
  return frame:sub(2, -3)
end

local function command(frame)
  local content, err = content_of(frame)
  if not content then return nil, err end
  local name, kind, rest = content:match("^(%u)(%w)\x02?(.*)$")
  if not name then return nil, "no command" end
  local address, group = rest:match("^([^()]*)%((.*)%)$")
  local message = { type = "command", command = name, command_type = kind, address = address ~= "" and address or nil }
  if group then message.value, message.unit = data.value(group) end
  return message
end

local function block(frame, session)
  local content, err = content_of(frame)
  if not content then return nil, err end
  session.lines = nil
  local problem = content:match("^%s*%((ER[^()]*)%)%s*$")
  if problem then return { type = "error", error = problem } end
  local message = { type = content:find("!%s*$") and "readout" or "data" }
  if frame:byte(-2) == EOT then message.partial = true end
  local asked = session.asked
  session.asked = nil
  return data.read(message, content, asked)
end

local function option_select(frame)
  if #frame == 1 then return { type = "ack" } end
  local protocol, baud, mode = frame:match("^\6(%w)(%w)(%w)\r?\n?$")
  if not protocol then return nil, "no option select" end
  return {
    type = "option_select", protocol_char = protocol, baud_char = baud, mode_char = mode, baud_rate = BAUD_RATES[baud],
  }
end

local function decode(frame, session)
  local first = frame:byte(1)
  if first == SOH then return command(frame) end
  if first == STX then return block(frame, session) end
  if first == ACK then return option_select(frame) end
  if first == NAK then return { type = "nak" } end
  local line = frame:gsub("[\r\n]+$", "")
  if first ~= SLASH then return data_line(line, session) end
  return (line:find("^/%?") and request or identification)(line, session)
end

local function field(message, name, pattern, default)
  local text = message[name]
  if text == nil then text = default end
  if type(text) ~= "string" or not text:find(pattern) then
    error(string.format("%s must match %s", name, pattern), 0)
  end
  return text
end

-- Printable characters without those that mean something; addresses and values of at most 32 and 128 (6.3.2, 6.5).
local ADDRESS, VALUE = "^[^%c()/!\x7f-\xff]*$", "^[^%c()\x7f-\xff]*$"
local MAX_ADDRESS, MAX_VALUE = 32, 128

local function bounded(text, name, max)
  if #text > max then error(string.format("%s must have at most %d characters", name, max), 0) end
  return text
end

local ENCODERS = {
  request = function(message)
    return "/?" .. bounded(field(message, "device_address", ADDRESS, ""), "device_address", MAX_ADDRESS) .. "!\r\n"
  end,

  option_select = function(message)
    return "\6" .. field(message, "protocol_char", "^%w$", "0") .. field(message, "baud_char", "^%w$", "0")
      .. field(message, "mode_char", "^%w$", "0") .. "\r\n"
  end,

  command = function(message, session)
    local head = field(message, "command", "^%u$") .. field(message, "command_type", "^%w$")
    local address = bounded(field(message, "address", ADDRESS, ""), "address", MAX_ADDRESS)
    session.asked = address ~= "" and address or nil
    local content = head .. "\3"
    if head:sub(1, 1) ~= "B" then
      local value = bounded(field(message, "value", VALUE, ""), "value", MAX_VALUE)
      content = head .. "\2" .. address .. "(" .. value .. ")\3"
    end
    return "\1" .. content .. string.char(mix.checksum.xor(content))
  end,

  ack = function() return "\6" end,
  nak = function() return "\21" end,
}

local function encode(message, session)
  local encoder = type(message) == "table" and ENCODERS[message.type]
  if not encoder then return nil, "can encode request, option_select, command, ack and nak" end
  local ok, bytes = pcall(encoder, message, session)
  if ok then return bytes end
  return nil, bytes
end

--- Whether a message answers a request: what we sent comes back from optical heads and two-wire adapters.
local function matches(request, message)
  if type(request) ~= "table" then return true end
  return message.type ~= request.type
    or message.command ~= request.command
    or message.command_type ~= request.command_type
end

return {
  name = "iec62056_21",
  frame = mix.frame.iec62056_21 { max = MAX_READOUT, partial = PARTIAL },
  decode = decode,
  encode = encode,
  matches = matches,
}
