-- Run by: moonwire test lua/utils/sparkplug_test.lua

local sparkplug = require "utils.sparkplug"

local seq
local function payload(metrics, own_seq)
  if own_seq == nil then seq = (seq + 1) % 256 end
  return mix.codec.encode("sparkplug_b", { timestamp = 1486144502122, seq = own_seq or seq, metrics = metrics })
end
local function topic(kind, device) return "spBv1.0/barn/" .. kind .. "/n1" .. (device and "/" .. device or "") end

--- A host that has seen the births of a node and its pump.
local function born()
  local host = sparkplug.new {}
  seq = -1
  host:read(topic "NBIRTH", payload {
    { name = "bdSeq", type = "UInt64", value = 3 }, { name = "uptime", alias = 1, type = "UInt32", value = 9 },
  })
  host:read(topic("DBIRTH", "pump"), payload {
    { name = "flow", alias = 7, type = "Float", value = 0.5 }, { name = "offset", alias = 8, type = "Int16", value = -1 },
  })
  return host
end

test("topics", function()
  equal({ sparkplug.topic "spBv1.0/barn/DDATA/n1/pump" }, { "barn", "DDATA", "n1", "pump" })
  equal({ sparkplug.topic "spBv1.0/barn/NBIRTH/n1" }, { "barn", "NBIRTH", "n1" })
  for _, other in ipairs {
    "", "a/b", "spBv1.0/STATE/scada", "spBv1.0/barn/DDATA/n1", "spBv1.0/barn/NDATA/n1/pump", "spAv1.0/barn/NDATA/n1",
  } do
    equal(sparkplug.topic(other), nil, other)
  end
end)

test("data gets the names and types of the birth", function()
  local host = born()
  local data = host:read(topic("DDATA", "pump"), payload { { alias = 7, type = "Float", value = 1.5 } })
  equal(data.metrics, { { alias = 7, name = "flow", type = "Float", value = 1.5 } })
  equal({ data.kind, data.group, data.node, data.device, data.rebirth }, { "DDATA", "barn", "n1", "pump" })
  -- int_value 4294966996 without a datatype: alias 8 is an Int16, -300.
  seq = seq + 1
  local untyped = mix.unhex("18" .. string.format("%02x", seq) .. "1208" .. "1008" .. "50" .. "d4fdffff0f")
  equal(host:read(topic("DDATA", "pump"), untyped).metrics, {
    { alias = 8, name = "offset", type = "Int16", value = -300 },
  })
end)

test("aliases are those of the device", function()
  local host = born()
  local data = host:read(topic "NDATA", payload { { alias = 7, type = "Float", value = 1.5 } })
  equal(data.metrics[1].name, nil)
  equal(data.rebirth, "unknown alias")
end)

test("data of a node or a device that was not born asks for a rebirth, not each time", function()
  local host = sparkplug.new {}
  seq = 0
  local asked = {}
  for _ = 1, 150 do
    local reason = host:read(topic "NDATA", payload { { alias = 1, type = "UInt32", value = 9 } }).rebirth
    if reason then asked[#asked + 1] = reason end
  end
  equal(asked, { "no birth of the edge node", "no birth of the edge node" })
  equal(born():read(topic("DDATA", "fan"), payload {}).rebirth, "no birth of the device")
  local where, command = host:rebirth("barn", "n1")
  equal(where, "spBv1.0/barn/NCMD/n1")
  local metric = mix.codec.decode("sparkplug_b", command).metrics[1]
  equal({ metric.name, metric.value }, { "Node Control/Rebirth", true })
end)

test("a gap in the numbers asks for a rebirth; 0 follows 255", function()
  local host = born()
  equal(host:read(topic "NDATA", payload({}, 2)).rebirth, nil)
  equal(host:read(topic "NDATA", payload({}, 4)).rebirth, "sequence")
  host = born()
  for n = 2, 255 do host:read(topic "NDATA", payload({}, n)) end
  equal(host:read(topic "NDATA", payload({}, 0)).rebirth, nil)
end)

test("deaths", function()
  local host = born()
  host:read(topic("DDEATH", "pump"), payload {})
  equal(host:read(topic("DDATA", "pump"), payload {}).rebirth, "no birth of the device")
  local function death(number) return payload({ { name = "bdSeq", type = "UInt64", value = number } }, 0) end
  equal(host:read(topic "NDEATH", death(2)).late, true)
  equal(host.count, 1)
  equal(host:read(topic "NDEATH", death(3)).late, nil)
  equal(host.count, 0)
end)

test("what cannot be read, and limits", function()
  local host = sparkplug.new { max_nodes = 1 }
  local function err_of(where, bytes)
    local data, err = host:read(where, bytes)
    equal(data, nil)
    return err
  end
  match(err_of("a/b", ""), "no topic of an edge node")
  match(err_of(topic "NBIRTH", "\xff"), "%a")
  host:read(topic "NBIRTH", payload({}, 0))
  match(err_of("spBv1.0/barn/NBIRTH/n2", payload({}, 0)), "more than 1 edge nodes")
  local many = {}
  for i = 1, 10001 do many[i] = { name = "m" .. i, type = "Boolean", value = true } end
  match(err_of(topic "NBIRTH", payload(many, 0)), "more than 10000 metrics")
end)
