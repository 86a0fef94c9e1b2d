-- WebSocket as scripts written for CONNMIX call it, on a server with `protocol: socket`:
--
--   function protocol_input(buf) return websocket.input(buf, on_handshake) end      -- on_handshake(headers)
--   function protocol_decode(str) return websocket.decode(str) end
--   function protocol_encode(str) return websocket.encode(str) end
--   function on_message(msg) if msg.type == "text" then websocket.send_text("hello") end end
--
-- and as earlier ones do: input(buf, conn, path, on_handshake), decode(conn), send_text(conn, data). A message is a
-- frame, { type, data, finish }; parts of a message that follow its first one have the type "continuation". Pings are
-- answered; a close is answered, ends the connection, and has "code,reason" as its data. The context of the client
-- holds `headers`, by their names as they were sent, with Method, RequestUri and ServerProtocol.

local frames = require "protocols.websocket.frames"
local handshake = require "protocols.websocket.handshake"

local script = {}

-- In the context of the client: whether the handshake is done, and the frame that decode(conn) is about.
local OPEN, FRAME = "__handshake", "__last_frame"

local function refuse(err)
  mix.log(mix.DEBUG, "websocket: " .. err)
  return -1
end

local function open(buf, conn, path, on_handshake)
  local at = buf:find "\r\n\r\n"
  if not at and buf:length() < handshake.MAX_REQUEST then return 0 end
  if not at or at > handshake.MAX_REQUEST then return refuse "a request that is too large" end
  local request, err = handshake.read(buf:tostring():sub(1, at + 3))
  if not request then return refuse(err) end
  if path and request.target:sub(1, #path) ~= path then return refuse("no such path: " .. request.target) end
  err = conn:send(handshake.accept(request.headers))
  if err then return refuse(err) end
  -- A client sends nothing before it has the answer.
  conn:clear_buffer()
  local headers = request.sent
  headers.Method, headers.RequestUri, headers.ServerProtocol = request.method, request.target, "HTTP/1.1"
  conn:set_context_value(OPEN, true)
  conn:set_context_value("headers", headers)
  if on_handshake then on_handshake(headers, conn) end
  return 0
end

--- The end of the frame that `buf` begins with, 0 while it is not whole, -1 to disconnect.
function script.input(buf, conn, path, on_handshake)
  local earlier = type(conn) == "userdata"
  if not earlier then conn, path, on_handshake = mix.socket.tcp(), nil, conn end
  if not conn:context_value(OPEN) then return open(buf, conn, path, on_handshake) end
  local opcode, finish, at, length = frames.read_head(buf:read(math.min(buf:length(), frames.MAX_HEAD)))
  if not opcode then return finish and refuse(finish) or 0 end
  local size = at - 1 + length
  if buf:length() < size then return 0 end
  if earlier then conn:set_context_value(FRAME, buf:tostring():sub(1, size)) end
  return size
end

local function closed(conn, data)
  local message = frames.read_close(data)
  if message then
    conn:send(frames.write("close", data:sub(1, 2)))
    message.data, message.finish = message.code and message.code .. "," .. (message.reason or "") or "", true
  end
  conn:close()
  return message
end

--- The message of a frame, or of the client's last frame. Nil, and the connection is closed, for one that breaks the
-- rules.
function script.decode(frame)
  local conn = frame
  if type(frame) == "string" then conn = mix.socket.tcp() else frame = conn:context_value(FRAME) end
  local opcode, finish, data = frames.read(frame)
  if opcode == frames.OPCODES.close then return closed(conn, data) end
  if not opcode or opcode == frames.OPCODES.text and finish and not utf8.len(data) then
    conn:close()
    return nil
  end
  if opcode == frames.OPCODES.ping then conn:send(frames.write("pong", data)) end
  return { type = frames.NAMES[opcode] or "continuation", data = data, finish = finish }
end

--- Sends to the client that is given, or whose handler runs. Returns true, or nil and an error.
local function sender(kind)
  return function(conn, data)
    if type(conn) ~= "userdata" then conn, data = mix.socket.tcp(), conn end
    local err = conn:send(frames.write(kind, tostring(data)))
    if err then return nil, err end
    return true
  end
end

script.send_text, script.send_binary = sender "text", sender "binary"

return script
