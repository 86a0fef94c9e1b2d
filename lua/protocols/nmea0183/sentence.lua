-- One sentence: its address, its fields, its time.

local fields = require "protocols.nmea0183.fields"
local lists = require "protocols.nmea0183.lists"
local proprietary = require "protocols.nmea0183.proprietary"
local sentences = require "protocols.nmea0183.sentences"

local sentence = {}

local DAY = 86400
-- Fields that must be there for a sentence to mean anything.
local LEAST = { PMTK001 = 2, RMC = 9, GGA = 6, GLL = 4, GNS = 6, TLB = 2, XDR = 4 }

local rows = {}
for name, words in pairs(sentences) do rows[name] = fields.row(words) end
for name, words in pairs(proprietary) do rows[name] = fields.row(words) end

-- What makes a message of a sentence's fields, beyond their names.
local finish = {}

function finish.RMC(message) message.valid = message.validity == "A" and message.latitude ~= nil end
finish.GLL, finish.PKLSH, finish.PKNSH = finish.RMC, finish.RMC, finish.RMC

function finish.GGA(message)
  message.valid = message.fix_quality ~= nil and message.fix_quality ~= "0" and message.latitude ~= nil
end

function finish.GNS(message)
  local mode = message.mode or ""
  if mode:find("[^ADEFMNPRS]") then return "field 6 cannot be " .. mode end
  message.valid = mode:find("[^N]") ~= nil and message.latitude ~= nil
end

function finish.PUBX00(message)
  message.valid = message.navigation_status ~= "NF" and message.latitude ~= nil
end

--- Kenwood writes the variation's direction before the version of the sentence.
function finish.PKLDS(message)
  finish.RMC(message)
  local direction, version = (message.sentence_version or ""):match("^([EW])(%d*)$")
  if not direction then return end
  if direction == "W" and message.variation then message.variation = 0 - message.variation end
  message.sentence_version = version
end
finish.PKNDS = finish.PKLDS

local LOCATIONS = { RMC = true, GGA = true, GLL = true, GNS = true, PUBX00 = true }

local function type_of(name, is_proprietary)
  if LOCATIONS[name] then return "location" end
  if name == "VDM" or name == "VDO" then return "ais" end
  return is_proprietary and "proprietary" or "nmea"
end

--- The Unix time: of the date and time of day, or of the time of day next to the last one that had a date.
local function set_time(ctx)
  local message, session = ctx.message, ctx.session
  local seconds = ctx.time_of_day
  message.time_of_day = seconds
  if not seconds then return end
  if ctx.day then
    message.time = ctx.day + seconds
  elseif session.last_time then
    local time = session.last_time // DAY * DAY + seconds
    local ahead = time - session.last_time
    if ahead > DAY / 2 then time = time - DAY end
    if ahead < DAY / -2 then time = time + DAY end
    message.time = time
  end
  session.last_time = message.time
end

--- Talker and formatter of an address: two letters and three, or a manufacturer's own.
local function parse_address(address)
  if address:find("^P%w%w%w+$") then return "P", address:sub(2), address end
  local talker, formatter = address:match("^(%w%w)(%w%w%w)$")
  return talker, formatter, formatter
end

local function query(ctx, v, formatter)
  local requested = v[2] or ""
  if not requested:find("^%w%w%w$") then return nil, "a query must name a sentence" end
  local message = ctx.message
  message.type, message.destination_talker, message.requested_sentence = "query", formatter:sub(1, 2), requested
  return message
end

--- Decodes a sentence without its start and checksum; returns nil and why when it is malformed.
function sentence.decode(body, session)
  local v = mix.str_split(body, ",")
  local address = v[1]
  local talker, formatter, name = parse_address(address)
  if not talker then return nil, "no address" end
  local ctx = { message = { talker = talker, sentence = formatter }, session = session, address = address }
  local message = ctx.message
  if address == "PUBX" then name = name .. (v[2] or "") end
  local read = lists[name] or rows[name]
  if not read and talker ~= "P" and formatter:find("^%w%wQ$") then return query(ctx, v, formatter) end
  message.type = type_of(name, talker == "P")
  if not read then -- as it is
    message.fields = {}
    for i = 2, #v do message.fields[i - 1] = fields.unescape(v[i]) end
    return message
  end
  if #v - 1 < (LEAST[name] or 1) then return nil, address .. ": fields are missing" end
  local ok, err = read(ctx, v, 2)
  if not ok then return nil, address .. ": " .. err end
  set_time(ctx)
  err = finish[name] and finish[name](message)
  if err then return nil, address .. ": " .. err end
  if message.course and (message.course < 0 or message.course > 360) then message.course = nil end
  return message
end

return sentence
