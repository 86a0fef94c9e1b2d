-- Sparkplug B sessions as a host application sees them (Eclipse Sparkplug 3.0.0, chapters 5 and 6): births tell what
-- metrics there are, data names them by alias and leaves out their types; a gap in the sequence numbers, or data of
-- someone whose birth was missed, calls for a rebirth.
--
--   local host = require("utils.sparkplug").new {}
--
--   function on_message(msg, conn)                                        -- of protocols.mqtt
--     if msg.type ~= "publish" then return end
--     local data, err = host:read(msg.topic, msg.payload)
--     if not data then return mix.log(mix.WARN, err) end
--     for _, metric in ipairs(data.metrics) do … metric.name, metric.value, metric.type, metric.timestamp … end
--     if data.rebirth then
--       local topic, payload = host:rebirth(data.group, data.node)
--       conn:send { type = "publish", topic = topic, payload = payload, qos = 0 }
--     end
--   end

local sparkplug = {}

local NAMESPACE = "spBv1.0"
local KINDS = {
  NBIRTH = true, NDATA = true, NDEATH = true, NCMD = true, DBIRTH = true, DDATA = true, DDEATH = true, DCMD = true,
}
-- Of a host, and of an edge node with its devices.
local MAX_NODES, MAX_METRICS = 1000, 10000
-- A rebirth that was called for and did not come is called for again after so many messages that need it.
local PATIENCE = 100

--- The parts of a topic: group, kind ("NBIRTH", "DDATA" …), node, device (nil for those of the node itself). Nil for
-- any other topic.
function sparkplug.topic(text)
  local parts = mix.str_split(text, "/")
  local kind = parts[3]
  local of_device = KINDS[kind] and kind:sub(1, 1) == "D"
  if parts[1] ~= NAMESPACE or not KINDS[kind] or #parts ~= (of_device and 5 or 4) then return nil end
  return parts[2], kind, parts[4], parts[5]
end

-- -- Values without their types ---------------------------------------------------------------------------------------

-- They travel as unsigned numbers of 32 or 64 bits.
local SIGNED = { Int8 = "I4", Int16 = "I4", Int32 = "I4", Int64 = "I8" }

local function signed(value, format)
  local fits = format == "I8" or type(value) == "number" and value >= 0 and value <= 0xffffffff
  if not fits then return value end
  return (string.unpack("<" .. format:lower(), string.pack("<" .. format, value)))
end

--- Gives a metric of a data message the name and type its birth told. Returns false when none told its alias.
local function complete(metric, born)
  local known = born.by_alias[metric.alias] or born.by_name[metric.name]
  if not known then return metric.alias == nil end
  metric.name = metric.name or known.name
  if metric.type or not known.type then return true end
  metric.type = known.type
  if metric.value ~= nil and SIGNED[known.type] then metric.value = signed(metric.value, SIGNED[known.type]) end
  return true
end

-- -- Sessions ---------------------------------------------------------------------------------------------------------

local Host = {}
Host.__index = Host

--- A host. `max_nodes`: most edge nodes (default 1000).
function sparkplug.new(options)
  return setmetatable({ nodes = {}, count = 0, max_nodes = options.max_nodes or MAX_NODES }, Host)
end

--- What is known of an edge node; a new one until its birth, which sets `seq`. `births`: by device, "" for the node
-- itself; `metrics`: how many they told; `waited`: messages since a rebirth was called for.
local function node_of(host, key)
  local node = host.nodes[key]
  if node then return node end
  if host.count >= host.max_nodes then return nil, string.format("more than %d edge nodes", host.max_nodes) end
  node = { births = {}, metrics = 0, waited = PATIENCE }
  host.nodes[key], host.count = node, host.count + 1
  return node
end

local function forget(node, device)
  local birth = node.births[device]
  if birth then node.metrics = node.metrics - birth.count end
  node.births[device] = nil
end

--- Remembers the metrics of a birth; an error when they are too many.
local function remember(node, device, metrics)
  forget(node, device)
  if node.metrics + #metrics > MAX_METRICS then return string.format("more than %d metrics", MAX_METRICS) end
  local birth = { by_alias = {}, by_name = {}, count = #metrics }
  for _, metric in ipairs(metrics) do
    local known = { name = metric.name, type = metric.type }
    if metric.alias then birth.by_alias[metric.alias] = known end
    if metric.name then birth.by_name[metric.name] = known end
  end
  node.births[device], node.metrics = birth, node.metrics + #metrics
end

--- The number by which births and deaths of a node belong together.
local function session_of(metrics)
  for _, metric in ipairs(metrics) do
    if metric.name == "bdSeq" then return metric.value end
  end
  return nil
end

--- Nil when a message follows the one before it, else "sequence"; its number is the last one from now on.
local function gap(node, seq)
  local expected = (node.seq + 1) % 256
  node.seq = seq or expected
  return seq ~= expected and "sequence" or nil
end

-- By kind: each takes what is known of the node, which is born but for NBIRTH, and the message; it returns why a rebirth
-- is needed, or nil; then an error, where the message cannot be used.
local READERS = {}

function READERS.NBIRTH(node, data)
  node.births, node.metrics, node.waited = {}, 0, PATIENCE
  node.seq, node.session = data.seq or 0, session_of(data.metrics)
  return nil, remember(node, "", data.metrics)
end

function READERS.DBIRTH(node, data)
  return gap(node, data.seq), remember(node, data.device, data.metrics)
end

function READERS.DDEATH(node, data)
  forget(node, data.device)
  return gap(node, data.seq)
end

local function read_data(node, data)
  local reason = gap(node, data.seq)
  local birth = node.births[data.device or ""]
  if not birth then return "no birth of the device" end
  for _, metric in ipairs(data.metrics) do
    if not complete(metric, birth) then reason = "unknown alias" end
  end
  return reason
end
READERS.NDATA, READERS.DDATA = read_data, read_data

--- Ends a session. A will that arrives late is that of an earlier one, and ends nothing.
local function finish(host, key, data)
  local node = host.nodes[key]
  if not node then return end
  data.late = node.seq and node.session ~= session_of(data.metrics) or nil
  if not data.late then host.nodes[key], host.count = nil, host.count - 1 end
end

--- Why a rebirth should be called for now, if there is a reason: once, then every hundredth time there is one.
local function due(node, reason)
  if not reason then return nil end
  node.waited = node.waited + 1
  if node.waited < PATIENCE then return nil end
  node.waited = 0
  return reason
end

--- Reads a message. Returns { kind, group, node, device?, timestamp?, seq?, metrics, rebirth?, late? }: `rebirth` says
-- why host:rebirth should be sent; metrics whose alias no birth told have no name; `late` marks the death of an earlier
-- session. Arrays whose type only their birth told stay bytes. Returns nil and an error for another topic, a payload
-- that is none, and beyond the limits.
function Host:read(topic, payload)
  local group, kind, id, device = sparkplug.topic(topic)
  if not group then return nil, "no topic of an edge node: " .. topic end
  local data, err = mix.codec.decode("sparkplug_b", payload)
  if not data then return nil, err end
  data.kind, data.group, data.node, data.device = kind, group, id, device
  local key = group .. "/" .. id
  if kind == "NDEATH" then finish(self, key, data) end
  local read = READERS[kind]
  if not read then return data end
  local node, reason, problem
  node, problem = node_of(self, key)
  if not node then return nil, problem end
  if node.seq or kind == "NBIRTH" then
    reason, problem = read(node, data)
    if problem then return nil, problem end
  else
    reason = "no birth of the edge node"
  end
  data.rebirth = due(node, reason)
  return data
end

--- Topic and payload of the command that makes an edge node tell its births again.
function Host:rebirth(group, id)
  local payload = mix.codec.encode("sparkplug_b", {
    timestamp = math.floor(mix.now() * 1000),
    metrics = { { name = "Node Control/Rebirth", type = "Boolean", value = true } },
  })
  return string.format("%s/%s/NCMD/%s", NAMESPACE, group, id), payload
end

return sparkplug
