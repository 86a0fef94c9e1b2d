-- Sensors, web hooks and browsers on one port, told apart by their first bytes.
--
--   engine:
--     servers:
--       - { name: all, port: 6790, protocol: auto, entry: lua/entry.one_port.lua, options: { token: "${TOKEN}" } }
--
--   id=shed-4;temp=21.5                                             a line over TCP: a reading, answered "ok"
--   curl -H "Authorization: Bearer $TOKEN" -d '{"temp":21.5}' "http://gateway:6790/report?id=shed-4"
--   curl -H "Authorization: Bearer $TOKEN" -d 'valve=open' "http://gateway:6790/send?id=shed-4"   a line for a sensor
--   ws://gateway:6790/?token=…                                      every reading, as JSON

protocol = require "protocols.line"

local READINGS = "readings"
local token = mix.server.option "token"

--- Keeps a reading and tells those who watch; nil and an error when it is not safe.
local function keep(id, values)
  local ok, err = mix.report(id, values, { durable = true })
  if not ok then return nil, err end
  mix.mesh.publish(READINGS, mix.json_encode { id = id, values = values })
  return true
end

local lines = {}

--- name=value pairs; numbers become numbers.
function lines.parse(text)
  local values = {}
  for name, value in text:gmatch "([%w_]+)=([^;]*)" do values[name] = tonumber(value) or value end
  return values
end

function lines.handle(msg, conn)
  local values = lines.parse(msg.text)
  local id = values.id and tostring(values.id)
  if not id then
    mix.log(mix.WARN, string.format("%s sent no reading: %q", conn:remote_addr(), msg.text))
    return
  end
  values.id = nil
  conn:attach(id)
  conn:subscribe("sensor." .. id)
  local ok, err = keep(id, values)
  conn:send(ok and "ok\r\n" or "again\r\n")
  if not ok then mix.log(mix.WARN, id .. ": not reported: " .. err) end
end

function on_message(msg, conn)
  -- Browsers only listen.
  if msg.type == "line" then lines.handle(msg, conn) end
end

-- Browsers show the token in the address, since they cannot send headers of their own.
function on_handshake(client_id, headers, server, conn)
  if token and mix.parse_str((server.RequestUri:match "%?(.*)" or "")).token == token then
    conn:subscribe(READINGS)
  else
    conn:close(4401, "a token is needed")
  end
end

local routes = {}

routes["POST /report"] = function(req, id)
  local values = mix.json_decode(req.body)
  if type(values) ~= "table" then return nil, "invalid_argument: the body is a JSON object" end
  return keep(id, values)
end

routes["POST /send"] = function(req, id)
  local reached = mix.mesh.publish("sensor." .. id, req.body)
  if reached == 0 then return nil, "not_connected: " .. id .. " is not here" end
  return true
end

function on_request(req, conn)
  if not token or req.headers.authorization ~= "Bearer " .. token then return nil, "unauthorized: a token is needed" end
  local route = routes[req.method .. " " .. req.path]
  if not route then return nil, "not_found: no " .. req.method .. " " .. req.path end
  local id = req.query.id
  if type(id) ~= "string" then return nil, "invalid_argument: id is missing" end
  local ok, err = route(req, id)
  if not ok then return nil, err end
  return { status = 204 }
end
