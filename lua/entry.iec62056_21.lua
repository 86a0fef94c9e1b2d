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

local rounds = require "utils.rounds"

protocol = require "protocols.iec62056_21"

local function option(name, default) return tostring(mix.server.option(name) or default) end

local ADDRESS, BAUD, PASSWORD = option("address", ""), option("baud_char", "0"), option("password", "")
local SECONDS, DEVICE = tonumber(option("seconds", 900)), option("device", "meter")

local registers = {}
for register in option("registers", ""):gmatch("[^,%s]+") do registers[#registers + 1] = register end

local UNIT = ADDRESS ~= "" and ADDRESS or DEVICE
-- Seconds: until an answer begins (6.3.14: 1.5 s), and the least silence before we answer (200 ms).
local PATIENCE, GAP = 2, 0.25

--- Sends a message after the silence and waits for the answer.
local function ask(conn, message, retries)
  mix.sleep(GAP)
  return conn:request(message, { unit = UNIT, timeout = PATIENCE, retries = retries or 0, priority = "poll" })
end

local function report(values, device_id)
  if #values == 0 then return end
  local device = device_id or UNIT
  rounds.report(device, { values = values })
end

--- Reads one register, with all its parts, into `values`. Returns nil and an error where nothing came.
local function read_register(conn, address, values)
  local reply, err = ask(conn, { type = "command", command = "R", command_type = "1", address = address }, 1)
  while reply and reply.type == "data" do
    for _, value in ipairs(reply.values) do values[#values + 1] = value end
    if not reply.partial then return true end
    reply, err = ask(conn, { type = "ack" })
  end
  if not reply then return nil, err end
  mix.log(mix.WARN, string.format("the meter refuses %s: %s", address, reply.error or reply.type))
  return true
end

--- Reads the registers in programming mode, which the meter has begun; then it is released.
local function read_registers(conn)
  if PASSWORD ~= "" then
    -- Some meters acknowledge it, some do not.
    ask(conn, { type = "command", command = "P", command_type = "1", value = PASSWORD })
  end
  local values, ok, err = {}, true, nil
  for _, address in ipairs(registers) do
    ok, err = read_register(conn, address, values)
    if not ok then break end
  end
  conn:request({ type = "command", command = "B", command_type = "0" }, { unit = UNIT, broadcast = true })
  report(values)
  return ok, err
end

--- Reads the meter. Returns nil and an error, or true.
local function read(conn)
  local id, err = ask(conn, { type = "request", device_address = ADDRESS }, 1)
  if not id then return nil, err end
  if id.type ~= "identification" then return nil, "no identification but " .. id.type end
  mix.log(mix.INFO, string.format("%s %s, mode %s", id.manufacturer, id.identification, id.mode))
  -- In mode A the read-out follows by itself.
  if id.mode == "A" then return true end
  if id.mode == "B" then
    return nil, string.format("this meter goes on at %d Bd, which the port does not follow", id.baud_rate)
  end
  local programming = #registers > 0
  local reply
  reply, err = ask(conn, { type = "option_select", baud_char = BAUD, mode_char = programming and "1" or "0" })
  if not reply then return nil, err end
  if programming and reply.type == "command" and reply.command == "P" then return read_registers(conn) end
  if reply.type ~= "readout" and reply.type ~= "data" then return nil, "no read-out but " .. reply.type end
  report(reply.values, reply.device_id)
  return true
end

on_connect, on_close, on_unload, on_reload = rounds.handlers(SECONDS, function(conn)
  local ok, err = read(conn)
  if not ok and not rounds.over(err) then mix.log(mix.WARN, err) end
end)

--- What a meter sends by itself.
function on_message(msg)
  if msg.type == "readout" then report(msg.values, msg.device_id) end
end
