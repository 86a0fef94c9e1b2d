-- Sentences with lists, with encapsulated data, or that one list of fields does not describe. Each is read from its
-- first field on by a function of `ctx` and the fields `v`, whose first is the address; it returns nil and why when
-- the sentence is malformed.

local calendar = require "utils.calendar"
local fields = require "protocols.nmea0183.fields"
local groups = require "protocols.nmea0183.groups"

local lists = {}

--- Fields by `words`, then `read(ctx, v, at)`.
local function head(words, read)
  local row = fields.row(words)
  return function(ctx, v)
    local at, err = row(ctx, v, 2)
    if not at then return nil, err end
    return read(ctx, v, at)
  end
end

--- Adds a part to the group of this sentence, and what the whole group holds once it is complete.
local function add_part(ctx, id, total, number, part, name, join)
  local message = ctx.message
  local parts = groups.add(ctx.session, ctx.address .. ":" .. (id or ""), total, number, part)
  if parts then message[name] = join(parts) end
end

local function satellites(v, first, last)
  local list = {}
  for i = first, last do
    local id = v[i] or ""
    if id ~= "" then
      if not id:find("^%d+$") then return nil, string.format("field %d cannot be %q", i - 1, id) end
      list[#list + 1] = tonumber(id)
    end
  end
  return list
end

local dilutions = fields.row("pdop:n hdop:n vdop:n system_id:x")
lists.GSA = head("mode=MA fix_type=123", function(ctx, v, at)
  local err
  ctx.message.satellites_used, err = satellites(v, at, at + 11)
  if err then return nil, err end
  return dilutions(ctx, v, at + 12)
end)

local in_view = fields.groups("prn:i elevation:i azimuth:i snr:i", 4, 1)
lists.GSV = head("total:i number:i satellites_in_view:i", function(ctx, v, at)
  local message = ctx.message
  local list, after = in_view(v, at)
  if not list then return nil, after end
  message.in_view = list
  message.signal_id = v[after] ~= "" and v[after] or nil -- since V4.10
  add_part(ctx, message.signal_id, message.total, message.number, list, "group", groups.joined)
  return true
end)

lists.GRS = head(":t residuals_mode=01", function(ctx, v, at)
  local list = {}
  for i = at, math.min(#v, at + 11) do
    if v[i] ~= "" and not tonumber(v[i]) then return nil, string.format("field %d cannot be %q", i - 1, v[i]) end
    list[#list + 1] = tonumber(v[i]) or false -- not used
  end
  ctx.message.residuals = list
  return true
end)

local function texts(v, at)
  local list = {}
  for i = at, #v do list[#list + 1] = fields.unescape(v[i]) end
  return list
end

lists.RTE = head("total:i number:i active_route_or_waypoint_list=cw name", function(ctx, v, at)
  local message = ctx.message
  -- A route in one sentence may be empty; of several, each has some.
  if at > #v and message.total ~= 1 then return nil, "waypoints are missing" end
  message.idents = texts(v, at)
  add_part(ctx, message.name, message.total, message.number, message.idents, "group", groups.joined)
  return true
end)

lists.R00 = function(ctx, v)
  ctx.message.idents = texts(v, 2)
  return true
end

lists.TXT = head("total:i number:i id:i message", function(ctx)
  local message = ctx.message
  add_part(ctx, message.id, message.total, message.number, message.message or "", "group", table.concat)
  return true
end)

local measurements = fields.groups("transducer_type value:n unit name", 4)
lists.XDR = function(ctx, v)
  local list, err = measurements(v, 2)
  if not list then return nil, err end
  ctx.message.values = list
  return true
end

local targets = fields.groups("target_number:i target_label", 2)
lists.TLB = function(ctx, v)
  local list, err = targets(v, 2)
  if not list then return nil, err end
  ctx.message.targets = list
  return true
end

local alerts = fields.groups("manufacturer_mnemonic_code alert_identifier:i alert_instance:i revision_counter:i", 4)
lists.ALC = head("total:i number:i message_id:i entries_number:i", function(ctx, v, at)
  local message = ctx.message
  local list, err = alerts(v, at)
  if not list then return nil, err end
  message.alert_entries = list
  add_part(ctx, message.message_id, message.total, message.number, list, "group", groups.joined)
  return true
end)

local ALF = "total:i number:i message_id:i :t category=ABC priority=EAWC state=AVSNOU manufacturer_mnemonic_code"
  .. " alert_identifier:i alert_instance:i revision_counter:i escalation_counter:i text"
lists.ALF = head(ALF, function(ctx)
  local message = ctx.message
  add_part(ctx, message.message_id, message.total, message.number, message.text or "", "group", table.concat)
  return true
end)

local distress = fields.row("format_specifier address category distress_cause_or_tele_command1 command_type_or_tele_command2"
  .. " position_or_canal time_or_telephone_number mmsi distress_cause acknowledgement=BRS expansion_indicator")

--- Calls pad their fields with spaces.
lists.DSC = function(ctx, v)
  local trimmed = {}
  for i, text in ipairs(v) do trimmed[i] = text:match("^%s*(.-)%s*$") end
  return distress(ctx, trimmed, 2)
end

local data_sets = fields.groups("code data", 2)
lists.DSE = head("total:i number:i acknowledgement=AQR mmsi", function(ctx, v, at)
  local message = ctx.message
  local list, err = data_sets(v, at)
  if not list then return nil, err end
  message.data_sets = list
  add_part(ctx, message.mmsi, message.total, message.number, list, "group", groups.joined)
  return true
end)

lists.ZDA = head(":t day:i month:i year:i offset_hours:i offset_minutes:i", function(ctx)
  local message = ctx.message
  local day, month, year = message.day, message.month, message.year
  message.day, message.month, message.year = nil, nil, nil
  if day and month and year then ctx.day = calendar.epoch(year, month, day, 0, 0, 0) end
  return true
end)

--- Track, then speed, each with a letter for what it is; before V2 without letters.
local lettered = fields.row("course:n =T magnetic_course:n =M ground_speed_knots:n =N speed:n =K ffa_mode")
local plain = fields.row("course:n magnetic_course:n ground_speed_knots:n speed:n")
lists.VTG = function(ctx, v)
  local ok, err = (#v == 5 and plain or lettered)(ctx, v, 2)
  if not ok then return nil, err end
  local message = ctx.message
  if message.ground_speed_knots and not message.speed then message.speed = message.ground_speed_knots * 1.852 end
  return true
end

--- A SeaTalk datagram.
lists.ALK = function(ctx, v)
  local bytes = mix.unhex(table.concat(v, "", 2))
  if not bytes then return nil, "a SeaTalk datagram is hexadecimal bytes" end
  ctx.message.data_hex = mix.hex(bytes)
  return true
end

-- Six bits a character, 0 to W and ` to w (V4.11, 7.1.4).
local ARMOURED = "^[0-W`-w]*$"
local MAX_FILL = 5

--- Armoured data and its fill bits; the group's data is that of all its sentences.
local function armoured(words, id)
  return head(words, function(ctx, v, at)
    local message = ctx.message
    local payload, fill = v[at] or "", tonumber((v[at + 1] or ""):match("^%d$"))
    if not message.total or not message.number then return nil, "the number of the sentence is missing" end
    if not payload:find(ARMOURED) then return nil, string.format("field %d is not armoured", at - 1) end
    if not fill or fill > MAX_FILL or fill > 6 * #payload then
      return nil, string.format("fill bits must be a whole number from 0 to %d", MAX_FILL)
    end
    message.payload, message.fill_bits = payload, fill
    add_part(ctx, id and message[id], message.total, message.number, payload, "group", table.concat)
    return true
  end)
end
lists.VDM = armoured("total:i number:i message_id:i channel", "message_id")
lists.VDO = lists.VDM
lists.ABM = armoured("total:i number:i message_id:i mmsi channel vdl_message_number:i", "message_id")
lists.BBM = armoured("total:i number:i message_id:i channel vdl_message_number:i", "message_id")
lists.TTD = armoured("total:x number:x message_id:i", "message_id")

--- NMEA 2000 in NMEA 0183 (MiniPlex): PGN, attribute word, data.
lists.PGN = head("pgn:x attributes:x", function(ctx, v, at)
  local message = ctx.message
  local bytes = mix.unhex(v[at] or "-")
  local attributes = message.attributes
  if not message.pgn or not attributes or not bytes or #bytes ~= (attributes >> 8 & 15) then
    return nil, "the data do not have the length they announce"
  end
  message.attributes, message.data_hex = nil, mix.hex(bytes)
  message.is_send, message.priority, message.address = attributes >> 15 & 1 == 1, attributes >> 12 & 7, attributes & 255
  return true
end)

--- NMEA 2000 in NMEA 0183 (Digital Yacht, SeaSmart).
lists.PCDIN = head("pgn:x timestamp:x source:x", function(ctx, v, at)
  local bytes = mix.unhex(v[at] or "-")
  if #v ~= at or not bytes then return nil, "must be PGN, time, source and data" end
  ctx.message.data_hex = mix.hex(bytes)
  return true
end)

return lists
