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

local GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
local MAX_REQUEST = 16384
local MAX_MESSAGE = 1024 * 1024

local OPCODES = { text = 1, binary = 2, close = 8, ping = 9, pong = 10 }
local NAMES = {}
for name, opcode in pairs(OPCODES) do NAMES[opcode] = name end

--- Ends the session: what comes now is not looked at, and the connection is closed.
local function fail(session, err)
  session.closed, session.fragments = true, nil
  return nil, err
end

-- -- Handshake ---------------------------------------------------------------------------------------------------------

local function has_token(header, token)
  for part in (header or ""):gmatch "[^,%s]+" do
    if part:lower() == token then return true end
  end
  return false
end

local function read_headers(lines)
  local headers = {}
  for line in lines:gmatch "[^\r\n]+" do
    local name, value = line:match "^([^%s:]+):%s*(.-)%s*$"
    if not name then return nil, "a header without a name" end
    name = name:lower()
    headers[name] = headers[name] and headers[name] .. ", " .. value or value
  end
  return headers
end

local function handshake(request, session)
  local method, target, lines = request:match "^(%u+) (%S+) HTTP/1%.1\r\n(.*)$"
  if not method then return fail(session, "no HTTP/1.1 request") end
  local headers, err = read_headers(lines)
  if not headers then return fail(session, err) end
  local key = headers["sec-websocket-key"]
  if method ~= "GET" or not has_token(headers.upgrade, "websocket") or not has_token(headers.connection, "upgrade") then
    return fail(session, "no WebSocket upgrade")
  end
  if headers["sec-websocket-version"] ~= "13" then return fail(session, "not WebSocket version 13") end
  if not key or #(mix.base64_decode(key) or "") ~= 16 then return fail(session, "no valid Sec-WebSocket-Key") end
  session.open = true
  local path, query = target:match "^([^?]*)%??(.*)$"
  return { type = "handshake", method = method, path = path, query = query ~= "" and query or nil, headers = headers }
end

-- -- Frames ------------------------------------------------------------------------------------------------------------

--- What the first bytes say: opcode, whether the message ends here, where the content begins, its length. Nil for too
-- few bytes, and nil and an error for what no client sends.
local function read_head(bytes)
  if #bytes < 2 then return nil end
  local first, second = bytes:byte(1, 2)
  local opcode, finish, length = first & 15, first & 0x80 ~= 0, second & 0x7f
  if first & 0x70 ~= 0 then return nil, "a reserved bit is set" end
  if second & 0x80 == 0 then return nil, "a frame of a client is masked" end
  if opcode ~= 0 and not NAMES[opcode] then return nil, "a reserved opcode" end
  if opcode >= 8 and (length > 125 or not finish) then return nil, "a control frame is short and whole" end
  local at = 3
  if length == 126 then
    if #bytes < 4 then return nil end
    length, at = string.unpack(">I2", bytes, 3), 5
  elseif length == 127 then
    if #bytes < 10 then return nil end
    local high
    high, length = string.unpack(">I4I4", bytes, 3)
    if high ~= 0 then return nil, "a frame that is too large" end
    at = 11
  end
  if length > MAX_MESSAGE then return nil, "a frame that is too large" end
  return opcode, finish, at + 4, length
end

local function input(buf, session)
  if session.closed then return -1 end
  if not session.open then
    local at = buf:find "\r\n\r\n"
    if at and at <= MAX_REQUEST then return at + 3 end
    return buf:length() > MAX_REQUEST and -1 or 0
  end
  -- Head and mask have at most 14 bytes.
  local opcode, finish, at, length = read_head(buf:read(math.min(buf:length(), 14)))
  if not opcode then
    -- A bad head is a frame of its own, so that decode can say what is wrong with it.
    return finish and buf:length() or 0
  end
  local size = at - 1 + length
  return buf:length() >= size and size or 0
end

local function read_close(data)
  if data == "" then return { type = "close" } end
  if #data == 1 or not utf8.len(data:sub(3)) then return nil, "a close frame without a valid reason" end
  local code = string.unpack(">I2", data)
  local known = code >= 1000 and code <= 1014 and code ~= 1004 and code ~= 1005 and code ~= 1006
  if not known and (code < 3000 or code > 4999) then return nil, string.format("close code %d", code) end
  return { type = "close", code = code, reason = #data > 2 and data:sub(3) or nil }
end

--- Adds a part to the message under way; the message once it is whole.
local function assemble(opcode, finish, data, session)
  local parts = session.fragments
  if opcode == 0 then
    if not parts then return nil, "a continuation of nothing" end
  else
    if parts then return nil, "a message within a message" end
    parts = { type = NAMES[opcode], size = 0 }
  end
  parts.size = parts.size + #data
  if parts.size > MAX_MESSAGE then return nil, "a message that is too large" end
  parts[#parts + 1] = data
  session.fragments = parts
  if not finish then return nil end
  session.fragments = nil
  local whole = table.concat(parts)
  if parts.type == "text" and not utf8.len(whole) then return nil, "text that is not UTF-8" end
  return { type = parts.type, data = whole, finish = true }
end

local function decode(frame, session)
  if session.closed then return nil end
  if not session.open then return handshake(frame, session) end
  local opcode, finish, at, length = read_head(frame)
  if not opcode then return fail(session, finish or "too short") end
  if #frame ~= at - 1 + length then return fail(session, "the length does not match the frame") end
  local data = mix.xor(frame:sub(at), frame:sub(at - 4, at - 1))
  if opcode == 9 or opcode == 10 then return { type = NAMES[opcode], data = data } end
  local message, err
  if opcode == 8 then
    message, err = read_close(data)
    session.closed = true
  else
    message, err = assemble(opcode, finish, data, session)
  end
  if err then return fail(session, err) end
  return message
end

local function frame_of(opcode, data)
  local size = #data
  local head = size < 126 and string.pack(">B", size) or size < 0x10000 and string.pack(">BI2", 126, size)
    or string.pack(">BI4I4", 127, 0, size)
  return string.char(0x80 | opcode) .. head .. data
end

local function encode(message)
  if type(message) == "string" then return frame_of(utf8.len(message) and OPCODES.text or OPCODES.binary, message) end
  if type(message) ~= "table" or not OPCODES[message.type] then
    return nil, "a message is a string, or a table whose type is text, binary, ping, pong or close"
  end
  local data = message.data or ""
  if message.type == "close" then
    data = message.code and string.pack(">I2", message.code) .. (message.reason or "") or ""
  end
  if type(data) ~= "string" then return nil, "data must be a string" end
  if OPCODES[message.type] >= 8 and #data > 125 then return nil, "a control frame has at most 125 bytes" end
  return frame_of(OPCODES[message.type], data)
end

local function reply(message)
  if message.type == "handshake" then
    local accept = mix.base64_encode(mix.sha1_bin(message.headers["sec-websocket-key"] .. GUID))
    return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
      .. accept .. "\r\n\r\n"
  end
  if message.type == "ping" then return frame_of(OPCODES.pong, message.data) end
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
}
