-- Meitrack: MVT, T, TC and P trackers (MEITRACK GPRS Protocol V1 and V2, with the binary records of T366 and later).
--
--   $$ · identifier (1 character) · length · , · IMEI · , · command · , · content · * · checksum (2 hex digits) · \r\n
--
-- The length counts from the comma behind it to the line end, the checksum is the sum of all up to the asterisk. AAA
-- (and AFF, stored) is an event with its position in text; CCC and CCE hold binary records of several; D00 is a part
-- of a photograph; all others answer commands, some with an event like AAA's. CCC and AAC are answered, and each eighth part of a photograph asks
-- for the next ones.
-- To command a device: conn:send { type = "command", name = "position_single" }, or
-- { type = "command", text = "C01,0,12222" }.

local commands = require "utils.commands"
local binary = require "protocols.meitrack.binary"
local events = require "protocols.meitrack.events"

local HEAD = "^%$%$(.)(%d+),(%w+),(%w%w%w),?"

--- A command or answer of ours.
local function frame_of(identifier, id, content)
  local body = string.format(",%s,%s*", id, content)
  local text = string.format("@@%s%02d%s", identifier, #body + 4, body)
  return string.format("%s%02X\r\n", text, mix.checksum.sum8(text))
end

--- A part of a photograph: file, number of parts, part from 0, bytes.
local function photo(message, content)
  local file, parts, part, at = content:match("^([^,]*),(%d+),(%d+),()")
  if not file then return nil, "no part of a photograph" end
  message.type, message.file, message.parts = "photo", file, tonumber(parts)
  message.part, message.data = tonumber(part), content:sub(at)
  return message
end

local readers = { AAA = events, AFF = events, CCC = binary.CCC, CCE = binary.CCE, D00 = photo }

local function decode(frame, session)
  if frame:find("^%s*$") then return nil end
  local _, last, identifier, _, id, command = frame:find(HEAD)
  if not last then return nil, "no $$ and IMEI and command" end
  -- The checksum was seen by the framing; a datagram comes without.
  local content = frame:sub(last + 1):match("^(.*)%*%x%x\r?\n?$")
  if not content then return nil, "no checksum at the end" end
  session.device_id = id
  local message = { device_id = id, command = command, identifier = identifier }
  local read = readers[command]
  if read then return read(message, content) end
  if not events(message, content) then message.type, message.result = "command_response", content end
  return message
end

local PHOTO_PARTS, PHOTO = 8, "camera_picture.jpg"

local function reply(decoded)
  local message = decoded[1] or decoded
  local command, id = message.command, message.device_id
  if command == "CCC" then return frame_of(message.identifier, id, "CCC," .. #decoded) end
  if command == "AAC" then return frame_of(message.identifier, id, "AAC," .. message.result) end
  if command == "D03" then return frame_of("O", id, "D00," .. PHOTO .. ",0") end
  if message.type == "photo" then
    local next = message.part + 1
    if next % PHOTO_PARTS ~= 0 or next >= message.parts then return nil end
    return frame_of("O", id, string.format("D00,%s,%d", message.file, next))
  end
end

local COMMANDS = {
  position_single = "A10", engine_stop = "C01,0,12222", engine_resume = "C01,0,02222", alarm_arm = "C01,0,22122",
  alarm_disarm = "C01,0,22022", request_photo = "D03,1," .. PHOTO,
}
-- Identifiers of commands run through these characters.
local FIRST_IDENTIFIER, IDENTIFIERS = 0x41, 0x7a - 0x41 + 1
local MAX_TEXT = 900

--- `name`: one of the above, or "send_sms" with `phone` and `message`; or `text`: command and parameters.
local function encode(message, session)
  local id, text = commands.addressed(message, session, COMMANDS)
  if not id then return nil, text end
  if message.name == "send_sms" then
    text = string.format("C02,0,%s,%s", tostring(message.phone), tostring(message.message))
  end
  if type(text) ~= "string" or not text:find("^%w%w%w[^\r\n]*$") or #text > MAX_TEXT then
    return nil, "needs the name of a command, or text of 3 to " .. MAX_TEXT .. " characters without line ends"
  end
  local count = session.commands or 0
  session.commands = count + 1
  return frame_of(string.char(FIRST_IDENTIFIER + count % IDENTIFIERS), id, text)
end

return {
  name = "meitrack",
  frame = mix.frame.any {
    mix.frame.length {
      start = "$$", at = 4, size = "decimal", add = -2, max = 4096, rest = true,
      check = { name = "sum8", from = 1, to = -3, hex = true, mark = "*" },
    },
    -- Line ends are cut apart: some devices count but do not send them.
    mix.frame.fixed { start = "\r\n", size = 2 },
  },
  decode = decode,
  encode = encode,
  reply = reply,
}
