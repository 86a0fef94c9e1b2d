-- Modbus devices that are polled by a template: what their registers mean is data, in templates/devices/.
--
--   engine:
--     links:
--       - name: meters
--         serial: { port: /dev/ttyUSB0, baudRate: 9600 }
--         entry: lua/entry.modbus_template.lua
--         options: { template: eastron_sdm120, units: "1,2", period: 10 }
--       - name: inverter
--         tcp: { host: 192.0.2.7, port: 502 }
--         entry: lua/entry.modbus_template.lua
--         options: { template: fronius_sunspec, framing: tcp, report: change, refresh: 600 }
--
-- Options: `template`: which device (lua/templates/devices/README.md lists them) · `units`: whom to ask, by default
-- the unit of the template · `period`: seconds between two polls of points without a group, default 10 · `framing`:
-- rtu (default), ascii or tcp · `report`: always (default), or change: what changed more than its dead-band · `refresh`:
-- with change, seconds after which everything is reported again, default 900 · `device`: names the devices reported,
-- default "<template>-<unit>", with the unit in place of %u.
-- Command `write` { point, value }: writes a point of the device and reads it back, ahead of polls.
-- Devices of another kind on the same line: another link that names the same bus.

local poller = require "utils.poller"
local rounds = require "utils.rounds"

local function option(name, default)
  local value = mix.server.option(name)
  if value == nil then return default end
  return value
end

--- An option that is a number from `low` to `high`.
local function number(name, default, low, high)
  local value = tonumber(option(name, default))
  if value and value >= low and value <= high then return value end
  error(string.format("option %s must be from %g to %g", name, low, high), 0)
end

local NAME = option("template", "eastron_sdm120")
local TEMPLATE = mix.template(NAME)
local PERIOD, REFRESH = number("period", 10, 0.1, 86400), number("refresh", 900, 1, 86400)
local DEVICE = option("device", NAME .. "-%u")
local FRAMINGS = { rtu = "protocols.modbus_rtu", ascii = "protocols.modbus_ascii", tcp = "protocols.modbus_tcp" }

protocol = require(FRAMINGS[option("framing", "rtu")] or error("option framing must be rtu, ascii or tcp", 0))

local units = {}
for text in tostring(option("units", TEMPLATE.unit or 1)):gmatch("[^,%s]+") do
  local unit = tonumber(text)
  if not unit or unit % 1 ~= 0 or unit < 1 or unit > 255 then
    error("option units must be whole numbers from 1 to 255, separated by commas", 0)
  end
  units[#units + 1] = unit
end

-- The pollers of each open connection.
local lines = {}

local function new_device(conn, unit)
  local name = DEVICE:gsub("%%u", tostring(unit))
  local told = {}
  return name, poller.new {
    template = TEMPLATE, unit = unit, period = PERIOD, report = option("report", "always"), refresh = REFRESH,
    request = function(message, options) return conn:request(message, options) end,
    on_values = function(values) rounds.report(name, { values = values }) end,
    on_error = function(err, request)
      -- A register the device does not have is refused in every poll; once is enough.
      if err:match("^exception") and not told[request.address] then
        told[request.address] = true
        mix.log(mix.WARN, string.format("%s: register %d: %s", name, request.address, err))
      end
    end,
    on_skip = function(count) mix.metrics.counter("polls_skipped", { device = name }, count) end,
    on_silence = function(err)
      if err then mix.log(mix.WARN, name .. " does not answer: " .. err)
      else mix.log(mix.INFO, name .. " answers again") end
    end,
  }
end

-- `old`: by the names of devices, what the code before this one hands over.
local function start(client_id, conn, old)
  local line = { conn = conn, devices = {} }
  lines[client_id] = line
  for _, unit in ipairs(units) do
    local name, device = new_device(conn, unit)
    line.devices[name] = device
    conn:attach(name)
    device:start(old[name])
  end
end

function on_connect(client_id, conn) start(client_id, conn, {}) end

function on_unload()
  local old = {}
  for client_id, line in pairs(lines) do
    local devices = {}
    for name, device in pairs(line.devices) do devices[name] = device:unload() end
    old[client_id] = { conn = line.conn, devices = devices }
  end
  return old
end

function on_reload(old)
  for client_id, line in pairs(old or {}) do start(client_id, line.conn, line.devices) end
end

function on_command(cmd, conn)
  local line, params = lines[conn:client_id()], cmd.params
  local device = line and line.devices[cmd.device_id]
  if not device then return nil, "not_found: no device " .. cmd.device_id .. " on this line" end
  if cmd.name ~= "write" then return nil, "invalid_argument: there is one command: write { point, value }" end
  if type(params) ~= "table" then return nil, "invalid_argument: write needs { point, value }" end
  local ok, err = device:write(params.point, params.value)
  if not ok then return nil, err end
  return { [params.point] = params.value }
end

function on_close(client_id)
  local line = lines[client_id]
  lines[client_id] = nil
  if not line then return end
  for _, device in pairs(line.devices) do device:stop() end
end
