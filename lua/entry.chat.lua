-- A chat of rooms over WebSocket.
--
--   engine:
--     servers:
--       - { name: chat, port: 6791, protocol: websocket, options: { path: /chat }, entry: lua/entry.chat.lua }
--
-- A client sends JSON, and gets JSON:
--
--   {"op":"join","room":1,"name":"ann"}    {"op":"send","room":1,"text":"hi"}    {"op":"quit","room":1}
--
-- Everybody in the room gets {"event":"join" | "message" | "quit","room":1,"name":"ann","text":…}, on whichever engine
-- they are. A program speaks to a room by publishing to the channel room:1.

local MAX_TEXT = 4096
local MAX_ROOMS = 20

local function answer(conn, message) conn:send(mix.json_encode(message), "text") end

--- The channel of a room; nil for what is no name of one.
local function channel_of(room)
  if type(room) ~= "number" and type(room) ~= "string" then return nil end
  room = tostring(room)
  return room:find "^[%w_-]+$" and #room <= 32 and "room:" .. room or nil
end

--- Rooms a client is in, by channel: they are kept in its context.
local function rooms_of(conn) return conn:context_value "rooms" or {} end

local function tell(channel, message) return mix.mesh.publish(channel, mix.json_encode(message), "text") end

local function quit(conn, channel)
  local rooms = rooms_of(conn)
  local member = rooms[channel]
  if not member then return end
  rooms[channel] = nil
  conn:set_context_value("rooms", next(rooms) and rooms)
  conn:unsubscribe(channel)
  tell(channel, { event = "quit", room = member.room, name = member.name })
end

local ops = {}

function ops.join(request, conn, channel)
  local rooms = rooms_of(conn)
  local count = 0
  for _ in pairs(rooms) do count = count + 1 end
  if count >= MAX_ROOMS then return "too many rooms" end
  if type(request.name) ~= "string" or #request.name == 0 or #request.name > 64 then return "a name is needed" end
  if rooms[channel] then return "already there" end
  local err = conn:subscribe(channel)
  if err then return err end
  rooms[channel] = { room = request.room, name = request.name }
  conn:set_context_value("rooms", rooms)
  tell(channel, { event = "join", room = request.room, name = request.name })
end

function ops.send(request, conn, channel)
  local member = rooms_of(conn)[channel]
  if not member then return "not in this room" end
  if type(request.text) ~= "string" or #request.text > MAX_TEXT then return "a text of at most 4096 bytes is needed" end
  tell(channel, { event = "message", room = member.room, name = member.name, text = request.text })
end

function ops.quit(_, conn, channel) quit(conn, channel) end

function on_message(msg, conn)
  local request = mix.json_decode(msg.data)
  local op = type(request) == "table" and ops[request.op]
  local channel = op and channel_of(request.room)
  local err = "an op and a room are needed"
  if channel then err = op(request, conn, channel) end
  if err then answer(conn, { event = "error", error = err }) end
end

-- Who left without a word has quit, too.
function on_close(client_id, err, conn)
  for channel in pairs(rooms_of(conn)) do quit(conn, channel) end
end
