-- DL/T 645 meters on an RS-485 line that are read again and again.
--
--   engine:
--     links:
--       - name: meters
--         serial: { port: /dev/ttyUSB0, baudRate: 2400, parity: even }
--         entry: lua/entry.dlt645.lua
--         options: { meters: "161,162", identifiers: "00010000,0201ff00", seconds: 60 }
--
-- Options: `meters`: their addresses as printed on them, up to 12 digits · `identifiers`: what is read (eight digits:
-- 2007, four: 1997; default the imported energy) · `seconds`: how often · `patience`: seconds a meter may take to answer,
-- default 2: 500 ms before its first byte (2007: 5.3.2) and 1.2 s for a long answer at 2400 Bd.

protocol = require "protocols.dlt645"

local function option(name, default) return mix.server.option(name) or default end

local function list(text, pattern)
  local items = {}
  for item in text:gmatch(pattern) do items[#items + 1] = item end
  return items
end

local SECONDS = tonumber(option("seconds", 60))
local PATIENCE = tonumber(option("patience", 2))
-- The silence before the next is asked, and the parts that one answer may have.
local GAP, MAX_PARTS = 0.1, 100

-- Each meter and identifier in turn.
local questions = {}
for _, meter in ipairs(list(tostring(option("meters", "")), "%d+")) do
  local address = ("0"):rep(12 - #meter) .. meter
  for _, identifier in ipairs(list(tostring(option("identifiers", "00010000")):lower(), "%x+")) do
    questions[#questions + 1] = { device_id = address, data_identifier = identifier }
  end
end

-- Each open connection: its `conn`, its timers, and which of `questions` is being asked.
local lines = {}

local ask

--- Sends a request; whoever does not answer in time is passed over.
local function send(line, request)
  local err = line.conn:send(request)
  if err then mix.log(mix.WARN, request.device_id .. " was not asked: " .. err) end
  line.patience = mix.after(PATIENCE, function()
    mix.log(mix.WARN, request.device_id .. " does not answer")
    ask(line, line.turn + 1)
  end)
end

function ask(line, turn)
  local question = questions[turn]
  line.turn, line.part = question and turn, 0
  if question then send(line, question) end
end

function on_connect(client_id, conn)
  local line = { conn = conn }
  lines[client_id] = line
  line.round = mix.every(SECONDS, function()
    if not line.turn then ask(line, 1) end
  end)
  ask(line, 1)
end

function on_message(msg, conn)
  local line = lines[conn:client_id()]
  local question = line and questions[line.turn]
  if not question or msg.type == "request" or msg.device_id ~= question.device_id then return end
  line.patience:cancel()
  if msg.type == "error" then
    mix.log(mix.WARN, string.format("%s refuses %s: %s", msg.device_id, question.data_identifier,
      table.concat(msg.errors, ", ")))
  elseif msg.more and line.part < MAX_PARTS then
    line.part = line.part + 1
    send(line, {
      command = "read_next", device_id = msg.device_id, data_identifier = msg.data_identifier, sequence = line.part,
    })
    return
  elseif msg.values and #msg.values > 0 then
    local ok, err = mix.report(msg.device_id, { values = msg.values })
    if not ok then mix.log(mix.WARN, msg.device_id .. ": not reported: " .. err) end
  end
  line.patience = mix.after(GAP, function() ask(line, line.turn + 1) end)
end

function on_close(client_id)
  local line = lines[client_id]
  if not line then return end
  lines[client_id] = nil
  line.round:cancel()
  if line.patience then line.patience:cancel() end
end
