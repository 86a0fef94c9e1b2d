-- WebSocket (RFC 6455, version 13), the server's side, over a plain stream: protocol: socket.
--
-- The upgrade request becomes { type = "handshake", method, path, query, headers } and is answered 101. Messages are
-- { type = "text" | "binary", data, finish = true }, assembled from their fragments; then there are
-- { type = "ping" | "pong", data } (pings are answered) and { type = "close", code, reason }, which is answered:
-- then conn:close() is due, since a client waits for the server to end the connection.
--
--   conn:send { type = "text", data = "hello" }        -- or binary, ping, pong
--   conn:send { type = "close", code = 1000, reason = "bye" }
--
-- A string that is published or comes from the centre is sent as text, as binary where it is no UTF-8. (conn:send
-- writes a string as it is, so it is no message.)
--
-- Scripts of CONNMIX, which define protocol_input and so on themselves, call the same functions otherwise: see
-- protocols/websocket/script.lua.

local frames = require "protocols.websocket.frames"
local handshake = require "protocols.websocket.handshake"

--- A function of protocols/websocket/script.lua. It is loaded once a script of CONNMIX calls one, because it uses the
-- connection: this module is pure.
local function script(name)
  return function(...) return require("protocols.websocket.script")[name](...) end
end

-- Fragments of one message.
local MAX_FRAGMENTS = 10000

--- Ends the session: what comes now is not looked at, and the connection is closed.
local function fail(session, err)
  session.closed, session.fragments = true, nil
  return nil, err
end

local function open(bytes, session)
  local request, err = handshake.read(bytes)
  if not request then return fail(session, err) end
  session.open = true
  local path, query = request.target:match "^([^?]*)%??(.*)$"
  return {
    type = "handshake", method = request.method, path = path, query = query ~= "" and query or nil,
    headers = request.headers,
  }
end

local function input(buf, session, ...)
  if type(session) ~= "table" then return script "input"(buf, session, ...) end
  if session.closed then return -1 end
  if not session.open then
    local at = buf:find "\r\n\r\n"
    if at and at <= handshake.MAX_REQUEST then return at + 3 end
    return buf:length() > handshake.MAX_REQUEST and -1 or 0
  end
  local opcode, finish, at, length = frames.read_head(buf:read(math.min(buf:length(), frames.MAX_HEAD)))
  if not opcode then
    -- A bad head is a frame of its own, so that decode can say what is wrong with it.
    return finish and buf:length() or 0
  end
  local size = at - 1 + length
  return buf:length() >= size and size or 0
end

--- Adds a part to the message under way; the message once it is whole.
local function assemble(opcode, finish, data, session)
  local parts = session.fragments
  if opcode == 0 then
    if not parts then return nil, "a continuation of nothing" end
  else
    if parts then return nil, "a message within a message" end
    parts = { type = frames.NAMES[opcode], size = 0 }
  end
  parts.size = parts.size + #data
  if parts.size > frames.MAX_MESSAGE then return nil, "a message that is too large" end
  if #parts == MAX_FRAGMENTS then return nil, string.format("a message of more than %d fragments", MAX_FRAGMENTS) end
  parts[#parts + 1] = data
  session.fragments = parts
  if not finish then return nil end
  session.fragments = nil
  local whole = table.concat(parts)
  if parts.type == "text" and not utf8.len(whole) then return nil, "text that is not UTF-8" end
  return { type = parts.type, data = whole, finish = true }
end

local function decode(frame, session)
  if type(session) ~= "table" then return script "decode"(frame) end
  if session.closed then return nil end
  if not session.open then return open(frame, session) end
  local opcode, finish, data = frames.read(frame)
  if not opcode then return fail(session, finish) end
  if opcode == frames.OPCODES.ping or opcode == frames.OPCODES.pong then
    return { type = frames.NAMES[opcode], data = data }
  end
  local message, err
  if opcode == frames.OPCODES.close then
    message, err = frames.read_close(data)
    session.closed = true
  else
    message, err = assemble(opcode, finish, data, session)
  end
  if err then return fail(session, err) end
  return message
end

local function encode(message)
  if type(message) == "string" then return frames.write_string(message) end
  local opcode = type(message) == "table" and frames.OPCODES[message.type]
  if not opcode then
    return nil, "a message is a string, or a table whose type is text, binary, ping, pong or close"
  end
  local data = message.data or ""
  if message.type == "close" then
    local code, reason = message.code, message.reason or ""
    local fits = code == nil or type(code) == "number" and code >= 1000 and code <= 4999 and code % 1 == 0
    if not fits or type(reason) ~= "string" then
      return nil, "a close has a code, a whole number from 1000 to 4999, and a reason, or neither"
    end
    data = code and string.pack(">I2", code) .. reason or ""
  end
  if type(data) ~= "string" then return nil, "data must be a string" end
  if opcode >= 8 and #data > frames.MAX_CONTROL then
    return nil, string.format("a control frame has at most %d bytes", frames.MAX_CONTROL)
  end
  return frames.write(message.type, data)
end

local function reply(message)
  if message.type == "handshake" then return handshake.accept(message.headers) end
  if message.type == "ping" then return frames.write("pong", message.data) end
  if message.type == "close" then return (encode { type = "close", code = message.code }) end
end

return {
  name = "websocket",
  input = input,
  decode = decode,
  encode = encode,
  reply = reply,
  -- The peer takes no frame before the handshake's answer.
  reply_first = true,
  send_text = script "send_text",
  send_binary = script "send_binary",
}
