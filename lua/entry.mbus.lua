-- M-Bus meters that are read again and again, over a level converter on a serial line or TCP.
--
--   engine:
--     links:
--       - name: meters
--         serial: { port: /dev/ttyUSB0, baudRate: 2400, parity: even }
--         entry: lua/entry.mbus.lua
--         options: { meters: "1,2,11490378", seconds: 900 }
--
-- Options: `meters`: whom to ask, in turn: primary addresses (up to three digits) or identification numbers (eight
-- digits) · `seconds`: how often · `utc_offset`: seconds by which the meters' clocks are ahead of UTC, default 0 ·
-- `patience`: seconds a meter may take to answer, default 2.
-- Each telegram is reported under the meter's identification number.

protocol = require "protocols.mbus"

local SELECTED = 253
-- Telegrams of one meter at most, and how often each message is sent.
local MAX_TELEGRAMS, MAX_TRIES = 16, 3

--- An option that is a number from `low` to `high`.
local function number(name, default, low, high)
  local value = tonumber(mix.server.option(name) or default)
  if value and value >= low and value <= high then return value end
  error(string.format("option %s must be from %d to %d", name, low, high), 0)
end

local SECONDS, PATIENCE = number("seconds", 900, 0.1, 86400), number("patience", 2, 0.1, 60)
local UTC_OFFSET = number("utc_offset", 0, -50400, 50400)

--- The messages that read a meter, in order; the last one again for each further telegram.
local function steps_of(meter)
  if #meter == 8 then
    return {
      { type = "snd_nke", address = SELECTED, optional = true },
      { type = "select", device_id = meter },
      { type = "req_ud2", address = SELECTED },
    }
  end
  local address = tonumber(meter)
  return { { type = "snd_nke", address = address, optional = true }, { type = "req_ud2", address = address } }
end

local meters = {}
for name in (mix.server.option("meters") or "1"):gmatch("%x+") do
  if #name ~= 8 and not (tonumber(name) and tonumber(name) <= 250) then
    error("option meters must hold addresses up to 250 or numbers of eight digits, not " .. name, 0)
  end
  meters[#meters + 1] = { name = name, steps = steps_of(name) }
end

-- Each open connection: its `conn`, its timers, which of `meters` is being read, by which of its steps, sent how many
-- times, and how many telegrams came.
local lines = {}

local advance

local function send(line)
  local meter = meters[line.turn]
  local step = meter.steps[line.step]
  local err = line.conn:send(step)
  if err then mix.log(mix.WARN, string.format("meter %s was not asked: %s", meter.name, err)) end
  line.tries = line.tries + 1
  line.patience = mix.after(PATIENCE, function()
    if step.optional then
      -- Nobody is selected, or the meter does not acknowledge a restart.
      advance(line, line.step + 1)
    elseif line.tries < MAX_TRIES then
      send(line)
    else
      mix.log(mix.WARN, string.format("meter %s does not answer", meter.name))
      advance(line)
    end
  end)
end

--- Goes on with a step of the meter that is being read, or with the next meter.
function advance(line, step)
  if line.patience then line.patience:cancel() end
  if not step then line.turn, line.telegrams = line.turn + 1, 0 end
  if not meters[line.turn] then
    line.turn = nil
    return
  end
  line.step, line.tries = step or 1, 0
  send(line)
end

local function start(line)
  line.turn, line.telegrams = 0, 0
  advance(line)
end

function on_connect(client_id, conn)
  local line = { conn = conn }
  lines[client_id] = line
  line.round = mix.every(SECONDS, function()
    if not line.turn then start(line) end
  end)
  start(line)
end

local function report(message)
  local time = message.time and message.time - UTC_OFFSET
  mix.log(mix.INFO, string.format("%s %s: %d values", message.manufacturer or "meter", message.device_id, #message.values))
  local ok, err = mix.report(message.device_id, { values = message.values, status = message.status }, { time = time })
  if not ok then mix.log(mix.WARN, message.device_id .. ": not reported: " .. err) end
end

function on_message(message, conn)
  local line = lines[conn:client_id()]
  local meter = line and meters[line.turn]
  if not meter then return end
  local step = meter.steps[line.step]
  local reading = step.type == "req_ud2"
  if message.type == "ack" then
    if not reading then advance(line, line.step + 1) end
  elseif not reading or step.address ~= SELECTED and message.address ~= step.address then
    return -- an answer that came too late
  elseif message.type == "data" and message.device_id then
    report(message)
    line.telegrams = line.telegrams + 1
    advance(line, message.more_records and line.telegrams < MAX_TELEGRAMS and line.step or nil)
  else
    mix.log(mix.WARN, string.format("meter %s: %s", meter.name, message.error or message.type))
    advance(line)
  end
end

function on_close(client_id)
  local line = lines[client_id]
  if not line then return end
  lines[client_id] = nil
  line.round:cancel()
  if line.patience then line.patience:cancel() end
end
