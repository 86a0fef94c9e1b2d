-- Reports in text. A report is a table that the readers share: `v` fields, `last` the index of the last one before
-- the send time, `kind` ("FRI"), `model`, `message` (the last of `messages`), and where it has a position, blank or
-- not, `fix`: the index of the first one's accuracy, and `at`: of what follows the last one and its cell.

local fields = require "protocols.queclink.fields"
local location = require "protocols.queclink.location"
local model_of = require "protocols.queclink.models"
local readers = require "protocols.queclink.readers"

local text = {}

local MISSING = { __index = function() return "" end }
-- Positions in one report: the number has two digits.
local MAX_POSITIONS = 99

local function is_id(field) return field:find("^%x+$") and #field >= 14 and #field <= 16 end

local function add_message(report)
  local message = {
    device_id = report.device_id, report = report.kind, buffered = report.buffered, model = report.known_model,
    protocol_version = report.version, count = report.count, sent_at = report.sent_at,
  }
  report.message = message
  report.messages[#report.messages + 1] = message
  return message
end

local function read_positions(report)
  local v, last = report.v, report.last
  local at = location.find(v, 4, last)
  report.fix = at
  while at and #report.messages < MAX_POSITIONS do
    local message = add_message(report)
    report.at = location.network(message, v, location.read(message, v, at))
    at = location.find(v, report.at, last)
    if at then location.appended(message, v, report.at, report.model) end
  end
  if report.fix then return end
  local message = add_message(report)
  if readers.without_position[report.kind] then return end
  report.fix, at = location.find_blank(v, 5, last)
  if at then report.at = location.network(message, v, at) end
end

local function type_of(message, kind)
  if message.alarm then return "alarm" end
  if message.latitude or message.cell or message.cells or message.wifi then return "location" end
  return readers.information[kind] and "information" or "status"
end

local function read_answer(report)
  local message = add_message(report)
  message.type = report.kind == "HBD" and "heartbeat" or "command_response"
  if message.type == "command_response" then
    message.command, message.serial = report.kind, report.v[report.last]
  end
  message.time = report.sent_at
end

local function read_report(report)
  read_positions(report)
  local read = readers.by_kind[report.kind] or readers.default
  read(report)
  report.message.alarm = report.message.alarm or readers.alarms[report.kind]
  for _, message in ipairs(report.messages) do
    message.time = message.time or not message.latitude and report.sent_at or nil
    message.type = type_of(message, report.kind)
  end
end

local function decode_one(sentence)
  local v = mix.str_split(sentence, ",")
  local header, kind = v[1]:match("^%+(%u+):GT(%w%w%w)$")
  if not header then return nil, "no @Track report" end
  if #v < 4 or not v[#v]:find("^%x%x%x%x$") then return nil, "truncated: no count at the end" end
  if is_id(v[2]) then table.insert(v, 2, "") end -- GT300 sends no version
  if not is_id(v[3]) then return nil, "no IMEI" end
  local model = model_of(v[2])
  local report = {
    v = setmetatable(v, MISSING), last = #v - 2, kind = kind, messages = {},
    device_id = v[3], version = v[2] ~= "" and v[2] or nil, known_model = model, model = model or "",
    count = v[#v], sent_at = fields.time(v[#v - 1]), buffered = header == "BUFF" or nil,
  }
  local read = header == "ACK" and read_answer or read_report
  read(report)
  return report.messages
end

--- Decodes one sentence, or several where terminators are missing or other than "$": a header begins a new one. A
-- part of one is given up for the whole ones behind it.
function text.decode(frame)
  local messages, failure = {}, nil
  for sentence in frame:gsub("%+%u+:GT", "\0%0"):gmatch("[^\0$]+") do
    local decoded, err = decode_one(sentence)
    for _, message in ipairs(decoded or {}) do messages[#messages + 1] = message end
    failure = failure or err
  end
  if #messages == 0 then return nil, failure end
  return #messages > 1 and messages or messages[1]
end

return text
