-- Chat rooms over WebSocket in Lua, on a server of plain sockets: whoever connects to /room/NAME gets what the others
-- there say.
--
--   engine:
--     servers:
--       - { name: chat, port: 6792, protocol: socket, entry: lua/entry.websocket_lua.lua }
--
-- A server with `protocol: websocket` speaks it natively, which is faster; this is for what that cannot do, such as
-- looking at each frame.

protocol = require "protocols.websocket"

local function enter(conn, path)
  local room = path:match "^/room/(%w+)$"
  if not room then return conn:send { type = "close", code = 4004, reason = "no such room" } end
  conn:set_context_value("room", room)
  return conn:subscribe("room:" .. room)
end

function on_message(msg, conn)
  local err
  if msg.type == "handshake" then
    err = enter(conn, msg.path)
  elseif msg.type == "close" then
    -- It was answered; a client waits for the server to end the connection.
    err = conn:close()
  elseif msg.type == "text" and conn:context_value("room") then
    mix.mesh.publish("room:" .. conn:context_value("room"), msg.data)
  end
  if err then mix.log(mix.WARN, conn:remote_addr() .. ": " .. err) end
end
