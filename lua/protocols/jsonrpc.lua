-- JSON-RPC 2.0 (jsonrpc.org/specification), a JSON text on each line; over UDP a datagram each.
--
-- A call becomes { type = "request", method, params, id }, without `id` it is a "notification"; an answer becomes
-- { type = "response", id, result } or { type = "response", id, error = { code, message, data } }. A batch is a list
-- of these. What is JSON but no JSON-RPC becomes { type = "invalid", id } and is answered with error -32600.
--
--   conn:send { method = "ping", params = { 1 }, id = 7 }                 -- without id: no answer is wanted
--   conn:send { id = msg.id, result = 42 }
--   conn:send { id = msg.id, error = { code = -32601, message = "no such method" } }
--
-- A list of such messages is sent as a batch. A result that is nil is sent as null. A string is sent as it is.
--
-- Scripts of CONNMIX define protocol_input and so on themselves and call input, decode, encode (of text) and
-- encode_table here.

local INVALID_REQUEST = { code = -32600, message = "Invalid Request" }
-- Calls and answers in one batch.
local MAX_BATCH = 1000

local function is_id(id) return id == nil or type(id) == "string" or type(id) == "number" end

--- The member of an object: a list has no names.
local function read(object)
  if type(object) ~= "table" or object.jsonrpc ~= "2.0" or not is_id(object.id) then return { type = "invalid" } end
  local method, params = object.method, object.params
  if method == nil then
    if object.error == nil and object.id == nil then return { type = "invalid" } end
    return { type = "response", id = object.id, result = object.result, error = object.error }
  end
  if type(method) ~= "string" or (params ~= nil and type(params) ~= "table") then
    return { type = "invalid", id = object.id }
  end
  local kind = object.id == nil and "notification" or "request"
  return { type = kind, method = method, params = params, id = object.id }
end

local function decode(frame)
  if not frame:find "%S" then return nil end
  local value, err = mix.json_decode(frame)
  if value == nil then return nil, err or "null is no JSON-RPC" end
  if type(value) ~= "table" or value[1] == nil then return read(value) end
  if #value > MAX_BATCH then return nil, string.format("a batch of more than %d", MAX_BATCH) end
  local messages = {}
  for i, object in ipairs(value) do messages[i] = read(object) end
  return messages
end

--- One member, "name":value; the value nil is null.
local function member(name, value)
  local json, err = mix.json_encode(value)
  if not json then return nil, name .. ": " .. err end
  return string.format(',"%s":%s', name, json)
end

local function write(message)
  if type(message) ~= "table" then return nil, "a message is a table" end
  local fields
  if message.method ~= nil then
    if type(message.method) ~= "string" then return nil, "method must be a string" end
    fields = { "method", message.params ~= nil and "params" or nil }
    if message.id ~= nil then fields[#fields + 1] = "id" end
  else
    fields = { message.error ~= nil and "error" or "result", "id" }
  end
  if not is_id(message.id) then return nil, "id must be a string or a number" end
  local parts = { '{"jsonrpc":"2.0"' }
  for _, name in ipairs(fields) do
    local part, err = member(name, message[name])
    if not part then return nil, err end
    parts[#parts + 1] = part
  end
  return table.concat(parts) .. "}"
end

local function encode(message)
  if type(message) == "string" then
    if message:find("\n", 1, true) then return nil, "a text holds no line end" end
    return message .. "\n"
  end
  if type(message) ~= "table" or message[1] == nil then
    local text, err = write(message)
    return text and text .. "\n", err
  end
  local parts = {}
  for i, item in ipairs(message) do
    local text, err = write(item)
    if not text then return nil, err end
    parts[i] = text
  end
  return "[" .. table.concat(parts, ",") .. "]\n"
end

--- What is no JSON-RPC is answered at once; calls are answered by the script.
local function reply(message)
  local answers = {}
  for _, item in ipairs(message[1] and message or { message }) do
    if item.type == "invalid" then answers[#answers + 1] = { id = item.id, error = INVALID_REQUEST } end
  end
  if #answers == 0 then return nil end
  return (encode(message[1] and answers or answers[1]))
end

return {
  name = "jsonrpc",
  frame = mix.frame.delimiter { ends = "\n" },
  input = function(buf) return buf:find "\n" or 0 end,
  decode = decode,
  encode = encode,
  encode_table = encode,
  reply = reply,
}
