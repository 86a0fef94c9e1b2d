-- How the fields of sentences are read. What a field cannot be makes the sentence malformed; what cannot be in the
-- world (30 February, 61 minutes of arc) is left out; an empty field is absent.
--
-- A row of fields is written as words, in the order of the sentence:
--
--   name            text                      name:n   number        name:i   whole number     name:x   hexadecimal
--   name=AV         one of these letters      =M       such a letter, left out of the message: the name tells it
--   :t              hhmmss.ss                 :date    ddmmyy        :lat :lon   degrees, minutes and hemisphere
--   name:ew         number, then E or W (-)   name:ns  likewise      speed:knots   as km/h     -        passed over
--   :variation      like ew, but some receivers leave its letter out and put the next field there
--
-- `ctx` is what reading one sentence knows: `message`, `day` and `time_of_day` in seconds.

local calendar = require "utils.calendar"

local fields = {}

local KNOT = 1.852
-- Two digits of a year from here on are of the 20th century: GPS began in 1980.
local FIRST_YEAR = 80

--- Fields escape what is reserved by a caret and two digits (NMEA 0183 V4, 5.1.3).
function fields.unescape(text)
  if not text:find("^", 1, true) then return text end
  return (text:gsub("%^(%x%x)", function(digits) return string.char(tonumber(digits, 16)) end))
end

local function is_number(text) return text:find("^[+-]?%d*%.?%d*$") and text:find("%d") end

-- Readers: of the text at hand (never empty, except where `width` is 2), into `ctx`; return true, or nil when it
-- cannot be.
local readers = {}

function readers.s(ctx, name, text)
  ctx.message[name] = fields.unescape(text)
  return true
end

function readers.n(ctx, name, text)
  if not is_number(text) then return nil end
  ctx.message[name] = tonumber(text)
  return true
end

function readers.i(ctx, name, text)
  if not text:find("^[+-]?%d+$") then return nil end
  ctx.message[name] = tonumber(text)
  return true
end

function readers.x(ctx, name, text)
  if #text > 8 or not text:find("^%x+$") then return nil end
  ctx.message[name] = tonumber(text, 16)
  return true
end

function readers.knots(ctx, name, text)
  if not is_number(text) then return nil end
  ctx.message[name] = tonumber(text) * KNOT
  return true
end

function readers.t(ctx, _, text)
  local hour, minute, second = text:match("^(%d%d)(%d%d)(%d%d%.?%d*)$")
  if not hour then return nil end
  hour, minute, second = tonumber(hour), tonumber(minute), tonumber(second)
  if hour <= 23 and minute <= 59 and second < 60 then ctx.time_of_day = hour * 3600 + minute * 60 + second end
  return true
end

function readers.date(ctx, _, text)
  local day, month, year = text:match("^(%d%d)(%d%d)(%d%d)$")
  if not day then return nil end
  year = tonumber(year)
  ctx.day = calendar.epoch((year < FIRST_YEAR and 2000 or 1900) + year, tonumber(month), tonumber(day), 0, 0, 0)
  return true
end

--- Degrees and minutes, and the hemisphere in the field behind.
local function angle(positive, negative, most)
  return function(ctx, name, text, hemisphere)
    if text == "" then return hemisphere == "" or hemisphere == positive or hemisphere == negative or nil end
    if not text:find("^%d+%.?%d*$") or hemisphere ~= positive and hemisphere ~= negative then return nil end
    local value = tonumber(text)
    local minutes = value % 100
    local degrees = value // 100 + minutes / 60
    if minutes < 60 and degrees <= most then
      ctx.message[name] = hemisphere == positive and degrees or 0 - degrees
    end
    return true
  end
end
readers.lat, readers.lon = angle("N", "S", 90), angle("E", "W", 180)

local function signed(positive, negative)
  return function(ctx, name, text, direction)
    if direction ~= "" and direction ~= positive and direction ~= negative then return nil end
    if text == "" then return true end
    if not is_number(text) then return nil end
    ctx.message[name] = direction == negative and 0 - tonumber(text) or tonumber(text)
    return true
  end
end
readers.ew, readers.ns = signed("E", "W"), signed("N", "S")

function readers.variation(ctx, name, text, direction)
  if direction == "E" or direction == "W" then readers.ew(ctx, name, text, direction) end
  return true
end

local WIDE = { lat = true, lon = true, ew = true, ns = true, variation = true }
local DEFAULT_NAMES = { lat = "latitude", lon = "longitude", variation = "variation" }

local function compile(word)
  local name, letters = word:match("^([%w_]*)=(%g+)$")
  if letters then return { letters = letters, name = name ~= "" and name or nil } end
  if word == "-" then return {} end
  local kind
  name, kind = word:match("^([%w_]*):(%l+)$")
  if not kind then return { name = word, kind = "s" } end
  return { name = name ~= "" and name or DEFAULT_NAMES[kind], kind = kind, wide = WIDE[kind] }
end

local function read_field(ctx, field, v, at)
  local text = v[at] or ""
  if field.letters then
    if text ~= "" and not (#text == 1 and field.letters:find(text, 1, true)) then return nil end
    if field.name and text ~= "" then ctx.message[field.name] = text end
    return true
  end
  if not field.kind or text == "" and not field.wide then return true end
  return readers[field.kind](ctx, field.name, text, v[at + 1] or "")
end

--- A function that reads fields as `words` say, from `at` on; it returns the index of what follows them, or nil and
-- which field cannot be.
function fields.row(words)
  local list = {}
  for word in words:gmatch("%S+") do list[#list + 1] = compile(word) end
  return function(ctx, v, at)
    for _, field in ipairs(list) do
      if not read_field(ctx, field, v, at) then
        return nil, string.format("field %d cannot be %q", at - 1, v[at] or "")
      end
      at = at + (field.wide and 2 or 1)
    end
    return at
  end
end

--- Groups of fields to the sentence's end, each read by `words` into a message of its own. `size`: fields a group
-- has; what is left over must be none, unless `rest` fields may follow.
function fields.groups(words, size, rest)
  local read = fields.row(words)
  return function(v, at)
    local list = {}
    local over = (#v - at + 1) % size
    if over ~= 0 and over ~= rest then return nil, string.format("groups must have %d fields", size) end
    while at + size - 1 <= #v do
      local ctx = { message = {} }
      local after, err = read(ctx, v, at)
      if not after then return nil, err end
      if next(ctx.message) then list[#list + 1] = ctx.message end
      at = at + size
    end
    return list, at
  end
end

return fields
