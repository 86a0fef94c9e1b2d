-- WebSocket clients: who they are, and an echo.
--
--   engine:
--     servers:
--       - { name: echo, port: 6790, protocol: websocket, entry: lua/entry.websocket.lua }
--
-- A page connects with new WebSocket("ws://gateway:6790/?name=ann"), sends text or bytes, and gets them back with how
-- many there were.

-- Once for each client, after its handshake. What is kept in the context can be read and set from the API, too.
function on_handshake(client_id, headers, server, conn)
  local query = server.RequestUri:match "%?(.*)$"
  local params = query and mix.parse_str(query) or {}
  conn:set_context { name = params.name or "stranger", agent = headers["User-Agent"], count = 0 }
  conn:send("hello " .. conn:context_value "name")
end

-- msg: { type = "text" or "binary", data, finish = true }, put together from its fragments.
function on_message(msg, conn)
  local count = conn:context_value "count" + 1
  conn:set_context_value("count", count)
  conn:send(msg.data, msg.type)
  if msg.data == "bye" then conn:close(1000, string.format("%d messages", count)) end
end

-- err is nil when the client said goodbye, else why it is gone: "closed by peer: 1001 going away".
function on_close(client_id, err, conn)
  mix.log(mix.INFO, string.format("%s left%s", conn:context_value "name" or client_id, err and ": " .. err or ""))
end
