-- NMEA 0183 (IEC 61162-1, V4.11): positions, navigation, instruments, alerts, AIS of all talkers.
--
--   $ · talker (2) · formatter (3) · ,field … · *hh · CR LF         ! begins sentences with armoured data (AIS)
--   \ · tags · *hh · \ ahead of a sentence names its source, time, group
--
-- hh is the exclusive or between start and "*"; a sentence without it is none. Messages carry `talker`, `sentence` and
-- its fields by name; those of sentences that are not known here come as the list `fields`. AIS keeps its armour, for
-- whoever wants it: `payload` and `fill_bits`. Sentences that belong together (GSV, VDM, TXT …) come one by one; the
-- last one brings what all of them hold as `group`.
--
-- GGA, GLL and others tell the time of day only (`time_of_day`, seconds); once RMC or ZDA has told the date, `time`
-- too. To send: conn:send { address = "PMTK220", fields = { 1000 } }.

local sentence = require "protocols.nmea0183.sentence"
local tag_block = require "protocols.nmea0183.tag_block"

--- The next sentence from `at` on whose checksum fits, and the index behind it; nil, and whether there was one with
-- a wrong checksum. An address behind a start begins a sentence wherever it stands: what was cut off ahead of it does
-- not take it along.
local function next_sentence(line, at)
  local wrong = false
  while true do
    local star = line:find("*", at, true)
    if not star then return nil, wrong end
    local digits = line:match("^%x%x", star + 1)
    local body = line:sub(at, star - 1):match("^.*[$!](%w%w%w%w+.*)$")
    if body and digits and mix.checksum.xor(body) == tonumber(digits, 16) then return body, star + 3 end
    wrong = wrong or body ~= nil and digits ~= nil
    at = star + 1
  end
end

local function decode_line(line, session, messages)
  local at, tags, err = 1, nil, nil
  if line:byte() == 0x5c then
    local block, after = line:match("^\\([^\\]*)\\()")
    if not block then return "tag block without an end" end
    tags, err = tag_block.read(block)
    if not tags then return err end
    at = after
  end
  local body, after = next_sentence(line, at)
  if not body then return after and "wrong checksum" or "no checksum" end
  while body do
    local message, why = sentence.decode(body, session)
    if message then
      message.tags, message.time = tags, message.time or tags and tags.time
      messages[#messages + 1] = message
    end
    err = err or why
    body, after = next_sentence(line, after)
  end
  return err
end

local function decode(frame, session)
  local messages, failure = {}, nil
  for line in frame:gmatch("[^\r\n]+") do
    local err = decode_line(line, session, messages)
    failure = failure or err
  end
  if #messages == 0 then return nil, failure end
  return #messages > 1 and messages or messages[1]
end

-- Reserved in fields (V4.11, 5.1.3).
local RESERVED = "[\r\n!$*,\\^~\127]"
-- The standard's 82 characters are too few for some manufacturers' commands.
local MAX_LENGTH = 250

local function escape(character) return string.format("^%02X", character:byte()) end

--- `address`, `fields` (texts and numbers); `encapsulated` for sentences that begin with "!".
local function encode(message)
  if type(message) ~= "table" then return nil, "a sentence is a table" end
  local address, list = message.address, message.fields or {}
  if type(address) ~= "string" or not address:find("^%w%w%w+$") then
    return nil, "address must be 3 or more letters and digits"
  end
  if type(list) ~= "table" then return nil, "fields must be a list" end
  local parts = { address }
  for i, field in ipairs(list) do
    if type(field) ~= "string" and type(field) ~= "number" then
      return nil, string.format("fields[%d] must be a string or a number", i)
    end
    parts[i + 1] = tostring(field):gsub(RESERVED, escape)
  end
  local body = table.concat(parts, ",")
  if #body > MAX_LENGTH then return nil, string.format("%d characters do not fit: at most %d", #body, MAX_LENGTH) end
  return string.format("%s%s*%02X\r\n", message.encapsulated and "!" or "$", body, mix.checksum.xor(body))
end

return {
  name = "nmea0183",
  -- The checksum tells a whole sentence, whether its line was ended or not.
  frame = mix.frame.delimiter { start = { "$", "!", "\\" }, ends = "\n", max = 1024, rest = true },
  decode = decode,
  encode = encode,
}
