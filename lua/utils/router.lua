-- Routes packets to functions by their action, and sends back what these return: for protocols whose messages have
-- `action`, `sequence` and `body`, such as znet.
--
--   local router = require("utils.router").new {}                         -- JSON bodies
--   local router = require("utils.router").new { schema = "game.proto" }  -- Protobuf bodies
--
--   router:on(100, function(params, msg, conn) return { hello = params.name } end)
--   router:on(101, move, { request = "game.Move", response = "game.Position" })
--
--   function on_message(msg, conn) router:handle(msg, conn) end
--
-- A reply has the action and the sequence of its request. A function that returns nothing sends none; one that
-- returns nil and an error makes `handle` return these.

local Router = {}
Router.__index = Router

--- `schema`: the .proto file, in a script root, whose messages bodies are; without it bodies are JSON.
local function new(options) return setmetatable({ schema = options.schema, routes = {} }, Router) end

--- Routes an action; `types` names the messages of Protobuf bodies: { request, response }.
function Router:on(action, handler, types)
  if self.schema and not (types and types.request) then
    error(string.format("action %s needs the type of its request", action), 2)
  end
  self.routes[action] = { handler = handler, types = types or {} }
end

--- The codec of a body, and its options.
local function codec_of(schema, name)
  if schema then return "protobuf", { schema = schema, type = name } end
  return "json"
end

--- Reads the body, calls the function of the action, sends its result. Returns true, or nil and an error: there is no
-- such route, the body cannot be read, or the function says so.
function Router:handle(msg, conn)
  local route = self.routes[msg.action]
  if not route then return nil, string.format("no route for action %s", msg.action) end
  local params, err
  -- No JSON at all stands for no parameters; an empty Protobuf message is one with all its defaults.
  if self.schema or msg.body ~= "" then
    local codec, options = codec_of(self.schema, route.types.request)
    params, err = mix.codec.decode(codec, msg.body, options)
    if err then return nil, err end
  end

  local result, problem = route.handler(params, msg, conn)
  if result == nil then
    if problem ~= nil then return nil, problem end
    return true
  end
  local codec, options = codec_of(self.schema, route.types.response)
  local body
  body, err = mix.codec.encode(codec, result, options)
  if not body then return nil, err end
  err = conn:send { action = msg.action, sequence = msg.sequence, body = body }
  if err then return nil, err end
  return true
end

return { new = new }
