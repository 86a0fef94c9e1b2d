-- JT/T 808: terminals of vehicles in China, and trackers, dash cameras and locks built on it everywhere
-- (JT/T 808-2011, -2013 and -2019; JT/T 1078-2016 for video; items and messages of many vendors).
--
--   7e · message (2) · properties (2) · [version (1)] · terminal (6, from 2019 on 10, BCD) · serial (2)
--      · [parts (2) · part (2)] · body · XOR of all before (1) · 7e        7e and 7d inside: 7d 02 and 7d 01
--
-- Properties: length of the body (10 bits), 0400 encrypted, 2000 in parts, 4000 with a version. Some vehicles use e7
-- instead of 7e and a terminal's number of 7 bytes, and some trackers also send sentences in parentheses.
--
-- Messages carry `device_id`: the terminal's number without leading zeros. Registrations are answered with the
-- terminal's number as its code; most other messages by 8001. Times are Beijing's by the standard: see `clock`.
-- To command a device: conn:send { type = "command", text = "…" }; more in jt808/commands.lua.

local commands = require "protocols.jt808.commands"
local fields = require "protocols.jt808.fields"
local messages = require "protocols.jt808.messages"
local packet = require "protocols.jt808.packet"
local parts = require "protocols.jt808.parts"

local GENERAL_ANSWER, COMPACT_ANSWER, REGISTERED, MEDIA_RECEIVED = 0x8001, 0x4401, 0x8100, 0x8800

-- Answers themselves, and what terminals expect no answer to.
local SILENT = {}
for _, id in ipairs {
  0x0001, 0x0104, 0x0201, 0x0302, 0x0500, 0x0700, 0x0701, 0x0702, 0x0802, 0x0805, 0x1205, 0x1300, 0x2070,
} do
  SILENT[id] = true
end

--- Marks a message with whose it is and what the answer to it needs.
local function sign(message, header)
  message.device_id, message.message_id, message.serial = header.device_id, header.id, header.serial
  message.terminal, message.version = header.terminal_hex, header.version
  message.answer_wanted = header.answer_wanted
  return message
end

local function read(header, session)
  if header.encrypted then return { type = "encrypted", data_hex = mix.hex(header.body) } end
  local body = header.body
  if header.part then
    local whole, err = parts.take(header, session)
    if err then return nil, err end
    if not whole then return { type = "part", part = header.part, parts = header.total } end
    body = whole
  end
  local row = messages[header.id]
  if not row then return { type = "unknown", data_hex = mix.hex(body) } end
  return row(body, session, header)
end

--- Who sent a message; most peers are one device, whose number is read once.
local function identify(header, session)
  if session.terminal ~= header.terminal then
    session.terminal, session.terminal_hex = header.terminal, mix.hex(header.terminal)
    session.device_id = packet.device_id(header.terminal)
  end
  session.version = header.version
  header.device_id, header.terminal_hex = session.device_id, session.terminal_hex
end

--- One message without its marks.
local function decode_message(frame, session)
  local header, err = packet.read(frame)
  if not header then return nil, err end
  identify(header, session)
  local decoded
  decoded, err = read(header, session)
  if not decoded then return nil, err end
  if not decoded[1] then return sign(decoded, header) end
  for _, message in ipairs(decoded) do sign(message, header) end
  return decoded
end

--- The messages of a datagram. A sender that has no need of escapes, since a datagram ends by itself, may leave them
-- out: then what stands between the outer marks is one message, if its checksum says so.
local function split(datagram)
  local frames = packet.split(datagram)
  if #frames > 0 then return frames end
  local plain = datagram:sub(2, -2)
  if datagram:sub(-1) == datagram:sub(1, 1) and #plain > 0 and mix.checksum.xor(plain) == 0 then return { plain } end
  return frames
end

--- A datagram: messages with their marks. What is decoded of each is kept in `frames` for its answer; a bad one does
-- not take the others with it.
local function decode_datagram(datagram, session)
  local list, err = { frames = {} }, "wrong checksum"
  for _, frame in ipairs(split(datagram)) do
    local decoded
    decoded, err = decode_message(frame, session)
    if decoded then
      list.frames[#list.frames + 1] = decoded
      if not decoded[1] then decoded = { decoded } end
      table.move(decoded, 1, #decoded, #list + 1, list)
    end
  end
  if #list == 0 then return nil, err end
  return list
end

local TIME_WANTED = "BASE,2"

--- A sentence of a lock: "(740190311185,1,001,ELOCK,3,529439)".
local function decode_sentence(text, session)
  if text:find(TIME_WANTED, 1, true) then return { type = "time_request", sentence = text } end
  return { type = "command_response", text = text, device_id = session.device_id or text:match("^%((%d+),") }
end

local function decode(frame, session)
  local first = frame:sub(1, 1)
  if first == "(" then return decode_sentence(frame, session) end
  if first == "\x7e" or first == "\xe7" then return decode_datagram(frame, session) end
  return decode_message(frame, session)
end

local function next_serial(session)
  local serial = session.serial or 0
  session.serial = (serial + 1) % 0x10000
  return serial
end

--- The time in UTC, in the two forms in which terminals ask for it.
local function time_answer(message_id)
  if message_id == 0x0004 then
    return 0x8004, mix.unhex((os.date("!%y%m%d%H%M%S")))
  end
  local now = os.date("!*t")
  return 0x8109, string.pack(">I2BBBBBB", now.year, now.month, now.day, now.hour, now.min, now.sec, 0)
end

local reply

local function reply_all(frames, session)
  local answers = {}
  for _, decoded in ipairs(frames) do answers[#answers + 1] = reply(decoded, session) end
  return #answers > 0 and table.concat(answers) or nil
end

function reply(decoded, session)
  if decoded.frames then return reply_all(decoded.frames, session) end
  local message = decoded[1] or decoded
  if message.sentence then
    return (message.sentence:gsub("TIME", (os.date("!%Y%m%d%H%M%S"))))
  end
  if not message.terminal then return nil end
  local id, terminal = message.message_id, mix.unhex(message.terminal)
  if message.answer_wanted ~= nil then
    if not message.answer_wanted then return nil end
    return packet.build(COMPACT_ANSWER, terminal, nil, 1, string.pack(">I2B", id, 0), true)
  end
  if SILENT[id] then return nil end
  local answer, body = GENERAL_ANSWER, string.pack(">I2I2B", message.serial, id, 0)
  if id == 0x0100 then
    answer, body = REGISTERED, string.pack(">I2B", message.serial, 0) .. (mix.bcd(terminal) or message.device_id)
  elseif message.type == "time_request" then
    answer, body = time_answer(id)
  elseif message.type == "media" then
    answer, body = MEDIA_RECEIVED, string.pack(">I4B", message.media_id, 0)
  end
  return packet.build(answer, terminal, message.version, next_serial(session), body)
end

--- `device_id` may be left out on a connection where the device has spoken.
local function encode(message, session)
  local row = type(message) == "table" and commands[message.type]
  if not row then return nil, "can encode { type = \"command\", text } and the types of jt808/commands.lua" end
  local terminal = session.terminal
  if message.device_id and message.device_id ~= session.device_id then
    terminal = packet.terminal(message.device_id, session.version)
    if not terminal then return nil, "device_id is no number of a terminal" end
  end
  if not terminal then return nil, "which device? It has not spoken yet, and device_id is missing" end
  local id, body, err = row(message)
  if not id then return nil, err end
  if #body > packet.MAX_BODY then return nil, "a message's body has at most 1023 bytes" end
  return packet.build(id, terminal, session.version, next_serial(session), body)
end

--- All framings. A sentence begins with two digits of the device's number: a parenthesis alone stands in many a
-- damaged message, and would take what follows for a sentence.
local function framings()
  local list = { packet.frames[1], packet.frames[2] }
  for first = 0, 9 do
    local starts = {}
    for second = 0, 9 do starts[#starts + 1] = "(" .. first .. second end
    list[#list + 1] = mix.frame.delimiter { start = starts, ends = ")", keep = true, max = 1024 }
  end
  return list
end

return {
  name = "jt808",
  frame = mix.frame.any(framings()),
  datagrams = true,
  decode = decode,
  encode = encode,
  reply = reply,
  clock = fields.clock,
}
