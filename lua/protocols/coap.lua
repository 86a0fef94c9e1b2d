-- CoAP: RFC 7252 over UDP, RFC 8323 over TCP.
--
--   protocol = require "protocols.coap"                -- transport: udp
--   protocol = require("protocols.coap").tcp           -- a stream
--
-- A message becomes { type = "request" | "response" | "empty" | "signal", code = "0.01", method = "GET", path, query,
-- content_format, observe, payload, token, message_id, transmission = "CON" | "NON" | "ACK" | "RST", options }, where
-- `options` are all of them as { number, name, value } in their order.
--
--   conn:send { to = msg, code = "2.05", content_format = 0, payload = "21.5" }      -- the answer to a request
--   conn:send { code = "GET", path = "sensors/1", token = "a", message_id = 7 }      -- a request of ours
--
-- An answer has the token of its request; within on_message it also acknowledges a confirmable one. What is confirmable
-- and was not answered is acknowledged empty; a ping (an empty confirmable message) is answered with a reset.

local METHODS = {
  ["0.01"] = "GET", ["0.02"] = "POST", ["0.03"] = "PUT", ["0.04"] = "DELETE", ["0.05"] = "FETCH", ["0.06"] = "PATCH",
  ["0.07"] = "iPATCH",
}
local PATH, QUERY, CONTENT_FORMAT, OBSERVE = 11, 15, 12, 6

--- The unsigned integer of up to four bytes that an option holds.
local function uint(value) return #value == 0 and 0 or #value <= 4 and string.unpack(">I" .. #value, value) or nil end

local function kind_of(code)
  local class = code:sub(1, 1)
  if code == "0.00" then return "empty" end
  return class == "0" and "request" or class == "7" and "signal" or "response"
end

--- Fields that stand for options: path and query joined, integers read.
local function add_fields(message)
  local path, query = {}, {}
  for _, option in ipairs(message.options) do
    local number, value = option.number, option.value
    if number == PATH then path[#path + 1] = value end
    if number == QUERY then query[#query + 1] = value end
    if number == CONTENT_FORMAT then message.content_format = uint(value) end
    if number == OBSERVE then message.observe = uint(value) end
  end
  if #path > 0 then message.path = table.concat(path, "/") end
  if #query > 0 then message.query = table.concat(query, "&") end
end

local function read(frame, transport)
  local message, err = mix.codec.decode("coap", frame, { transport = transport })
  if not message then return nil, err end
  message.transmission, message.type = message.type, kind_of(message.code)
  message.method = METHODS[message.code]
  add_fields(message)
  return message
end

local function add_parts(options, number, text, separator)
  if type(text) ~= "string" or text == "" then return end
  for _, part in ipairs(mix.str_split(text, separator)) do options[#options + 1] = { number = number, value = part } end
end

--- The codec's message of ours; `session.answered` remembers which request this answers.
local function write(message, session, transport)
  if type(message) ~= "table" then return nil, "a message is a table with its code" end
  local to = message.to
  local options = {}
  for i, option in ipairs(message.options or {}) do options[i] = option end
  add_parts(options, PATH, message.path, "/")
  add_parts(options, QUERY, message.query, "&")
  if message.content_format then options[#options + 1] = { number = CONTENT_FORMAT, value = message.content_format } end
  if message.observe then options[#options + 1] = { number = OBSERVE, value = message.observe } end

  local transmission, id = message.transmission, message.message_id
  if to and id == nil then
    -- Piggybacked on the acknowledgement as long as that was not sent (RFC 7252, 5.2.1).
    local piggybacked = to.transmission == "CON" and session.open_id == to.message_id
    transmission = transmission or (piggybacked and "ACK" or "NON")
    id = transmission == "ACK" and to.message_id or nil
    if piggybacked then session.open_id = nil end
  end
  if id == nil then
    session.next_id = ((session.next_id or 0) + 1) % 0x10000
    id = session.next_id
  end
  return mix.codec.encode("coap", {
    type = transmission,
    code = message.code,
    message_id = id,
    token = message.token or to and to.token,
    options = options,
    payload = message.payload,
  }, { transport = transport })
end

local function reply(message, session)
  if message.transmission ~= "CON" then return nil end
  local answer
  if message.type == "empty" then
    answer = "RST"
  elseif session.open_id == message.message_id then
    answer = "ACK"
  end
  session.open_id = nil
  return answer and (mix.codec.encode("coap", { type = answer, code = "0.00", message_id = message.message_id }))
end

--- The size of the message that begins here (RFC 8323, 3.2); 0 for more bytes.
local function tcp_input(buf)
  local first = buf:byte(1)
  local nibble = first >> 4
  local extension = nibble == 13 and 1 or nibble == 14 and 2 or nibble == 15 and 4 or 0
  if buf:length() < 2 + extension then return 0 end
  buf:read(1)
  local length = nibble
  if extension > 0 then
    length = string.unpack(">I" .. extension, buf:read(extension)) + (nibble == 13 and 13 or nibble == 14 and 269 or 65805)
  end
  buf:read(1) -- the code
  local token = first & 15
  if token == 15 then return -1 end
  if token > 12 then
    local size = token - 12
    if buf:length() < buf:position() + size then return 0 end
    token = string.unpack(">I" .. size, buf:read(size)) + (size == 1 and 13 or 269)
  end
  local total = buf:position() + token + length
  if total > 1024 * 1024 then return -1 end
  return buf:length() >= total and total or 0
end

return {
  name = "coap",
  reply = reply,

  decode = function(frame, session)
    local message, err = read(frame, "udp")
    if message and message.transmission == "CON" then session.open_id = message.message_id end
    return message, err
  end,

  encode = function(message, session) return write(message, session, "udp") end,

  tcp = {
    name = "coap tcp",
    input = tcp_input,
    decode = function(frame) return read(frame, "tcp") end,
    encode = function(message, session) return write(message, session, "tcp") end,
  },
}
