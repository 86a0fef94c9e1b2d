-- A message centre over WebSocket: users log in, and programs send them messages.
--
--   engine:
--     servers:
--       - name: messages
--         port: 6792
--         protocol: websocket
--         options: { path: /messages, login: "http://127.0.0.1:8080/login" }
--         entry: lua/entry.message_center.lua
--
-- A client sends {"op":"login","token":"…"} first. The token is put to the HTTP service `login`, as the JSON
-- {"token":"…"}; it answers 200 and {"user":"7"} for a good one. Then the client gets {"event":"login","user":"7"},
-- and from there on what is published to the channel user:7, on whichever of their devices the user is connected.

local LOGIN_SECONDS = 10

local function answer(conn, message) conn:send(mix.json_encode(message), "text") end

local function fail(conn, err)
  answer(conn, { event = "error", error = err })
  conn:close(4401, err)
end

--- Asks the login service: the user's name, or nil and why not.
local function user_of(token)
  local resp, err = mix.http.request("POST", mix.server.option "login", { body = { token = token }, timeout = 5 })
  if not resp then
    mix.log(mix.WARN, "login service: " .. err)
    return nil, "the login service does not answer"
  end
  if resp.status_code ~= 200 then return nil, "unknown token" end
  local body = mix.json_decode(resp.body)
  local user = type(body) == "table" and body.user
  if not user then return nil, "the login service names no user" end
  return tostring(user)
end

-- Who does not log in is not kept.
function on_connect(client_id, conn)
  mix.after(LOGIN_SECONDS, function()
    if not conn:context_value "user" then conn:close(4408, "no login") end
  end)
end

function on_message(msg, conn)
  local request = mix.json_decode(msg.data)
  if type(request) ~= "table" or request.op ~= "login" or type(request.token) ~= "string" then
    return answer(conn, { event = "error", error = "the only request is login, with a token" })
  end
  if conn:context_value "user" then return answer(conn, { event = "error", error = "already logged in" }) end
  local user, err = user_of(request.token)
  err = err or conn:subscribe("user:" .. user)
  if err then return fail(conn, err) end
  conn:set_context_value("user", user)
  answer(conn, { event = "login", user = user })
end
