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
-- `patience`: seconds until a meter begins to answer, default 0.5.
-- Each telegram is reported under the meter's identification number.

local rounds = require "utils.rounds"

protocol = require "protocols.mbus"

local SELECTED = 253
-- Telegrams of one meter at most, and how often a message is repeated.
local MAX_TELEGRAMS, RETRIES = 16, 2

--- An option that is a number from `low` to `high`.
local function number(name, default, low, high)
  local value = tonumber(mix.server.option(name) or default)
  if value and value >= low and value <= high then return value end
  error(string.format("option %s must be from %g to %g", name, low, high), 0)
end

local SECONDS, PATIENCE = number("seconds", 900, 0.1, 86400), number("patience", 0.5, 0.1, 60)
local UTC_OFFSET = number("utc_offset", 0, -50400, 50400)

--- The messages that read a meter, in order; the last one again for each further telegram. Those that are `optional`
-- need no answer: nobody may be selected, and not every meter acknowledges a restart.
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

local function report(message)
  local time = message.time and message.time - UTC_OFFSET
  mix.log(mix.INFO, string.format("%s %s: %d values", message.manufacturer or "meter", message.device_id, #message.values))
  rounds.report(message.device_id, { values = message.values, status = message.status }, { time = time })
end

--- Asks a meter. What only ends a selection is nobody's failure.
local function ask(conn, meter, step)
  local restart = step.optional and step.address == SELECTED
  return conn:request(step, {
    unit = restart and "selection" or meter.name,
    retries = step.optional and 0 or RETRIES,
    timeout = PATIENCE,
    priority = "poll",
  })
end

--- Reads all telegrams of a meter. Returns nil and an error, or true.
local function read(conn, meter)
  for _, step in ipairs(meter.steps) do
    local telegrams = 0
    repeat
      local reply, err = ask(conn, meter, step)
      if not reply and (not step.optional or rounds.over(err)) then return nil, err end
      local more = false
      if step.type == "req_ud2" then
        if reply.type ~= "data" or not reply.device_id then return nil, reply.error or reply.type end
        report(reply)
        telegrams = telegrams + 1
        more = reply.more_records and telegrams < MAX_TELEGRAMS
      end
    until not more
  end
  return true
end

on_connect, on_close, on_unload, on_reload = rounds.handlers(SECONDS, function(conn)
  for _, meter in ipairs(meters) do
    local ok, err = read(conn, meter)
    if not ok and rounds.over(err) then break end
    if not ok then rounds.failed("meter " .. meter.name, err) end
  end
end)
