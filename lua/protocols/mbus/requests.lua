-- What a master sends (EN 13757-2, 5.7; EN 13757-7, 8.6): { type, address, … } as bytes.

local application = require "protocols.mbus.application"

local requests = {}

local SND_NKE, SND_UD, REQ_UD1, REQ_UD2 = 0x40, 0x53, 0x5a, 0x5b
local FCB = 0x20
-- Addresses: whoever was selected, everyone (who do not answer).
local SELECTED, EVERYONE = 253, 255
local MAX_DATA = 252

local function whole(message, name, low, high, default)
  local value = message[name]
  if value == nil then value = default end
  if type(value) == "number" and value % 1 == 0 and value >= low and value <= high then return value end
  error({ string.format("%s must be a whole number from %d to %d", name, low, high) })
end

local function close(head, content)
  return head .. content .. string.char(mix.checksum.sum8(content), 0x16)
end

local function short(control, address)
  return close("\x10", string.char(control, address))
end

local function long(control, address, ci, rest)
  local content = string.char(control, address, ci) .. rest
  return close(string.char(0x68, #content, #content, 0x68), content)
end

--- The frame count bit of the next message to an address. It stays until `requests.answered` says that the message
-- arrived, so that a repetition is known as one.
local function count_bit(message, session, address)
  session.asked = address
  if message.fcb ~= nil then return message.fcb and FCB or 0 end
  local bits = session.frame_count or {}
  session.frame_count = bits
  return bits[address] == false and 0 or FCB
end

--- To be called for each acknowledgement, and each response with its address: the next message to who was asked is a
-- new one. Whoever was selected answers by an address of their own, as do those who are asked by 254.
function requests.answered(session, address)
  local asked, bits = session.asked, session.frame_count
  if address and asked and asked < SELECTED and address ~= asked then return end
  if asked and bits then bits[asked] = bits[asked] == false end
  session.asked = nil
end

--- The next message to an address has its frame count bit set again.
local function restart(session, address)
  session.asked = nil
  if session.frame_count then session.frame_count[address] = nil end
end

local function send(message, session, ci, rest)
  local address = whole(message, "address", 0, 255)
  local bit = address == EVERYONE and 0 or count_bit(message, session, address)
  return long(SND_UD | bit, address, ci, rest)
end

--- Eight digits of an identification number, of which any may be F for "any", as bytes.
local function number_bytes(message)
  local digits = message.device_id or "FFFFFFFF"
  if type(digits) ~= "string" or #digits ~= 8 or not digits:find("^[%dA-Fa-f]+$") then
    error({ "device_id must be 8 digits, of which any may be F" })
  end
  return mix.unhex(digits):reverse()
end

local function manufacturer_bytes(message)
  local letters = message.manufacturer
  if letters == nil then return "\xff\xff" end
  if type(letters) ~= "string" or not letters:find("^%u%u%u$") then error({ "manufacturer must be three capital letters" }) end
  local a, b, c = letters:byte(1, 3)
  return string.pack("<I2", (a - 64) << 10 | (b - 64) << 5 | (c - 64))
end

local WRITERS = {
  --- Ends a selection and starts frame counting anew.
  snd_nke = function(message, session)
    local address = whole(message, "address", 0, 255)
    restart(session, address)
    return short(SND_NKE, address)
  end,

  req_ud2 = function(message, session)
    local address = whole(message, "address", 0, 254)
    return short(REQ_UD2 | count_bit(message, session, address), address)
  end,

  req_ud1 = function(message, session)
    local address = whole(message, "address", 0, 254)
    return short(REQ_UD1 | count_bit(message, session, address), address)
  end,

  --- Whoever has this secondary address answers to address 253 from now on.
  select = function(message, session)
    restart(session, SELECTED)
    local version, medium = whole(message, "version", 0, 255, 255), whole(message, "medium", 0, 255, 255)
    local who = number_bytes(message) .. manufacturer_bytes(message) .. string.char(version, medium)
    return long(SND_UD, SELECTED, 0x52, who)
  end,

  reset_application = function(message, session)
    local code = message.code
    return send(message, session, 0x50, code == nil and "" or string.char(whole(message, "code", 0, 255)))
  end,

  synchronise = function(message, session) return send(message, session, 0x54, "") end,

  send_data = function(message, session)
    local data = message.data
    if type(data) ~= "string" or #data > MAX_DATA then
      error({ string.format("data must be a string of up to %d bytes", MAX_DATA) })
    end
    return send(message, session, 0x51, data)
  end,

  --- A record of eight bits with the VIF "bus address".
  set_address = function(message, session)
    return send(message, session, 0x51, "\x01\x7a" .. string.char(whole(message, "new_address", 0, 250)))
  end,

  set_baud_rate = function(message, session)
    for ci, rate in pairs(application.BAUD_RATES) do
      if rate == message.baud_rate then return send(message, session, ci, "") end
    end
    error({ "baud_rate must be 300, 600, 1200, 2400, 4800, 9600, 19200 or 38400" })
  end,
}

--- The bytes of a message to a slave, or nil and an error.
function requests.encode(message, session)
  local write = type(message) == "table" and WRITERS[message.type]
  if not write then
    return nil, "type must be snd_nke, req_ud1, req_ud2, select, send_data, set_address, set_baud_rate, "
      .. "reset_application or synchronise"
  end
  local ok, result = pcall(write, message, session)
  if ok then return result end
  if type(result) ~= "table" then error(result, 0) end
  return nil, result[1]
end

return requests
