-- A meter with an optical head that is read again and again (IEC 62056-21, modes A to C).
--
--   engine:
--     links:
--       - name: meter
--         serial: { port: /dev/ttyUSB0, baudRate: 300, dataBits: 7, parity: even }
--         entry: lua/entry.iec62056_21.lua
--         options: { seconds: 900 }
--
-- Options: `seconds`: how often · `address`: which of several meters on one line answers, none by default ·
-- `registers`: "1.8.0,2.8.0": what is read in programming mode, instead of the whole read-out · `password`: for that
-- mode, where the meter wants one · `baud_char`: the rate to go on with, "0" by default: 300 Bd. The port keeps its
-- rate, so meters that speak at one rate only, on RS-485, need their own ("5": 9600 Bd) and a port that has it. At
-- 300 Bd a long read-out takes a minute or two.
-- `device`: names what is reported where the meter does not say its number, "meter" by default.

protocol = require "protocols.iec62056_21"

local function option(name, default) return tostring(mix.server.option(name) or default) end

local ADDRESS, BAUD, PASSWORD = option("address", ""), option("baud_char", "0"), option("password", "")
local SECONDS, DEVICE = tonumber(option("seconds", 900)), option("device", "meter")

local registers = {}
for register in option("registers", ""):gmatch("[^,%s]+") do registers[#registers + 1] = register end

-- Seconds: for an answer, for a read-out, for the acknowledgement of a password, and the least silence before we answer
-- (6.3.14: 200 ms).
local PATIENCE, READOUT_PATIENCE, ACK_PATIENCE, GAP = 5, 600, 1.5, 0.25

-- Each open connection: its `conn`, its timers, and `reading`, what is under way: { values, device_id, register }.
local lines = {}

local function finish(line)
  if line.patience then line.patience:cancel() end
  line.reading = nil
end

--- Sends a message after the silence; when nothing follows in `seconds`, does `otherwise`: gives the reading up.
local function send(line, message, seconds, otherwise)
  if line.patience then line.patience:cancel() end
  line.patience = mix.after(GAP, function()
    local err = line.conn:send(message)
    if err then mix.log(mix.WARN, "not sent: " .. err) end
    line.patience = mix.after(seconds or PATIENCE, function()
      if otherwise then return otherwise(line) end
      mix.log(mix.WARN, "the meter does not answer to " .. message.type)
      finish(line)
    end)
  end)
end

local function report(line)
  local reading = line.reading
  if #reading.values > 0 then
    local device = reading.device_id or ADDRESS ~= "" and ADDRESS or DEVICE
    local ok, err = mix.report(device, { values = reading.values })
    if not ok then mix.log(mix.WARN, device .. ": not reported: " .. err) end
  end
  finish(line)
end

--- Asks for the next register; after the last the meter is released and what it said is reported.
local function next_register(line)
  local reading = line.reading
  reading.register = reading.register + 1
  local address = registers[reading.register]
  if address then
    send(line, { type = "command", command = "R", command_type = "1", address = address })
    return
  end
  line.conn:send { type = "command", command = "B", command_type = "0" }
  report(line)
end

local function start(line)
  if line.reading then return end
  line.reading = { values = {}, register = 0 }
  send(line, { type = "request", device_address = ADDRESS })
end

-- By the type of what the meter sends; echoes of our own messages have other types.
local steps = {}

function steps.identification(line, msg)
  mix.log(mix.INFO, string.format("%s %s, mode %s", msg.manufacturer, msg.identification, msg.mode))
  if msg.mode == "A" then return end
  if msg.mode == "B" then
    mix.log(mix.WARN, string.format("this meter goes on at %d Bd, which the port does not follow", msg.baud_rate))
    finish(line)
    return
  end
  local programming = #registers > 0
  send(line, { type = "option_select", baud_char = BAUD, mode_char = programming and "1" or "0" },
    not programming and READOUT_PATIENCE or nil)
end

function steps.command(line, msg)
  if msg.command ~= "P" or msg.command_type ~= "0" or line.reading.register > 0 then return end
  if PASSWORD == "" then
    next_register(line)
  else
    -- A lone ACK is not told from the begin of an option select until more follows: so we go on.
    send(line, { type = "command", command = "P", command_type = "1", value = PASSWORD }, ACK_PATIENCE, next_register)
  end
end

function steps.ack(line)
  if line.reading.register == 0 then next_register(line) end
end

local function keep(line, msg)
  local reading = line.reading
  for _, value in ipairs(msg.values) do reading.values[#reading.values + 1] = value end
  reading.device_id = reading.device_id or msg.device_id
end

function steps.data(line, msg)
  keep(line, msg)
  if msg.partial then send(line, { type = "ack" })
  elseif line.reading.register > 0 then next_register(line) end
end

function steps.readout(line, msg)
  keep(line, msg)
  report(line)
end

function steps.error(line, msg)
  mix.log(mix.WARN, "the meter refuses: " .. msg.error)
  if line.reading.register > 0 then next_register(line) else finish(line) end
end

function steps.nak(line)
  mix.log(mix.WARN, "the meter did not understand")
  finish(line)
end

function on_connect(client_id, conn)
  local line = { conn = conn }
  lines[client_id] = line
  line.round = mix.every(SECONDS, function() start(line) end)
  start(line)
end

function on_message(msg, conn)
  local line = lines[conn:client_id()]
  if line and line.reading and steps[msg.type] then steps[msg.type](line, msg) end
end

function on_close(client_id)
  local line = lines[client_id]
  if not line then return end
  lines[client_id] = nil
  line.round:cancel()
  finish(line)
end
