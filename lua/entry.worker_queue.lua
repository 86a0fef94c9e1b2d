-- Clients over WebSocket whose messages a worker in another language handles, by a queue.
--
--   engine:
--     servers:
--       - { name: queue, port: 6794, protocol: websocket, options: { topic: jobs }, entry: lua/entry.worker_queue.lua }
--
-- The worker takes messages from the API (queue.pop of the topics connect and jobs), and reaches the client by the id
-- that comes with each: mesh.send answers it, and conn.call sets values of its context. It does so for each connect:
-- conn.call(id, "set_context_value", ["user", …]) says who the client is, and lets its messages through.

local TOPIC = mix.server.option "topic" or "jobs"

--- Puts a message into a topic. A client whose messages are not taken is told to come later.
local function push(topic, data, conn)
  local _, err = mix.queue.push(topic, data)
  if not err then return end
  mix.log(mix.WARN, topic .. ": " .. err)
  conn:close(4503, "try again later")
end

function on_handshake(client_id, headers, server, conn)
  push("connect", { uri = server.RequestUri, cookie = headers.Cookie, address = server.RemoteAddr }, conn)
end

function on_message(msg, conn)
  -- Waits until the worker has said who this is; the client's further messages wait behind this one.
  local user, err = conn:wait_context_value "user"
  if err then return end
  push(TOPIC, { user = user, text = msg.data }, conn)
end
