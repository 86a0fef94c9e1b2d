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
-- 2007, four: 1997; default the imported energy) · `seconds`: how often · `patience`: seconds until a meter begins to
-- answer, default 0.8 (2007: 5.3.2: 500 ms, and what an adapter adds).

local rounds = require "utils.rounds"

protocol = require "protocols.dlt645"

local function option(name, default) return mix.server.option(name) or default end

local function list(text, pattern)
  local items = {}
  for item in text:gmatch(pattern) do items[#items + 1] = item end
  return items
end

local SECONDS = tonumber(option("seconds", 60))
local OPTIONS = { priority = "poll", timeout = tonumber(option("patience", 0.8)) }
-- Parts that one answer may have.
local MAX_PARTS = 100

-- Each meter and identifier in turn.
local questions = {}
for _, meter in ipairs(list(tostring(option("meters", "")), "%d+")) do
  local address = ("0"):rep(12 - #meter) .. meter
  for _, identifier in ipairs(list(tostring(option("identifiers", "00010000")):lower(), "%x+")) do
    questions[#questions + 1] = { device_id = address, data_identifier = identifier }
  end
end

--- Reads an identifier with all its parts. Returns the last part, which has the values of all.
local function read(conn, question)
  local reply, err = conn:request(question, OPTIONS)
  for part = 1, MAX_PARTS do
    if not reply or not reply.more then break end
    reply, err = conn:request({
      command = "read_next", device_id = question.device_id, data_identifier = question.data_identifier, sequence = part,
    }, OPTIONS)
  end
  return reply, err
end

--- Asks one question. Returns the error when the connection is over.
local function ask(conn, question)
  local meter = question.device_id
  local reply, err = read(conn, question)
  if not reply and rounds.over(err) then return err end
  if not reply then
    rounds.failed(meter, err)
  elseif reply.type == "error" then
    mix.log(mix.WARN, string.format("%s refuses %s: %s", meter, question.data_identifier, table.concat(reply.errors, ", ")))
  elseif reply.values and #reply.values > 0 then
    rounds.report(meter, { values = reply.values })
  end
end

on_connect, on_close, on_unload, on_reload = rounds.handlers(SECONDS, function(conn)
  for _, question in ipairs(questions) do
    if ask(conn, question) then break end
  end
end)
