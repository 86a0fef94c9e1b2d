-- The header of JT/T 808 messages, the terminal's number in it, and the escapes around all (2019 edition, 4.4).

local packet = {}

local RSA, SUBPACKET, VERSIONED, ANSWER_WANTED = 0x0400, 0x2000, 0x4000, 0x8000
local LENGTH = 0x3ff
-- Some terminals send longer bodies than the standard has room for: their length carries into the bit above.
local LONG_LENGTH = 0x7ff
-- The compact reports of locks and containers (5501, 5502) count messages in one byte and mean other things by the
-- bits of the properties.
local COMPACT = { [0x5501] = true, [0x5502] = true }

-- What frames stand between, and how bytes are escaped in them: the standard's, and another that some vehicles use.
local MARKS = {
  {
    mark = "\x7e", pattern = "[\x7d\x7e]", sequence = "\x7d[\1\2]",
    escapes = { ["\x7d"] = "\x7d\x01", ["\x7e"] = "\x7d\x02" },
  },
  {
    mark = "\xe7", pattern = "[\xe6\xe7\x3d\x3e]", sequence = "[\xe6\x3e][\1\2]",
    escapes = { ["\xe6"] = "\xe6\x01", ["\xe7"] = "\xe6\x02", ["\x3e"] = "\x3e\x01", ["\x3d"] = "\x3e\x02" },
  },
}
for _, row in ipairs(MARKS) do
  row.unescapes = {}
  for byte, sequence in pairs(row.escapes) do row.unescapes[sequence] = byte end
end
local STANDARD, OTHER = MARKS[1], MARKS[2]
-- The number of a terminal has 7 bytes between the other marks.
local ID, OTHER_ID, VERSIONED_ID = 6, 7, 10

--- The framings, natively: 1,023 bytes of body at most, each of which may be escaped.
packet.frames = {}
for i, row in ipairs(MARKS) do
  packet.frames[i] = mix.frame.bracket {
    open = row.mark, close = row.mark, escape = row.unescapes, max = 4096, check = { name = "xor" },
  }
end

--- The number without leading zeros; where it holds other digits than decimal ones it is an IMEI in binary, which
-- has no room for its last digit: that is the check digit.
function packet.device_id(id)
  local digits = mix.bcd(id)
  if digits then return digits:match("^0*(%d+)$") end
  if #id ~= ID then return mix.hex(id) end
  local imei = string.format("%014.0f", string.unpack(">I6", id))
  local sum = 0
  for i = 1, #imei do
    local digit = imei:byte(i) - 48
    if (#imei - i) % 2 == 0 then digit = digit * 2 end
    sum = sum + digit // 10 + digit % 10
  end
  return (imei:match("^0*(%d+)$")) .. (10 - sum % 10) % 10
end

--- The bytes of a terminal's number from a device id, as `packet.device_id` returns it.
function packet.terminal(device_id, version)
  if type(device_id) ~= "string" or not device_id:find("^%d+$") then return nil end
  if version then return #device_id <= 20 and mix.unhex(("0"):rep(20 - #device_id) .. device_id) or nil end
  if #device_id <= 12 then return mix.unhex(("0"):rep(12 - #device_id) .. device_id) end
  return #device_id == 15 and string.pack(">I6", tonumber(device_id:sub(1, 14))) or nil
end

--- Whether the bit of encryption belongs to the length: only then are there that many bytes.
local function is_long(frame, properties)
  return properties & RSA ~= 0 and #frame > properties & LONG_LENGTH
end

--- How many bytes the number and what else depends on the edition take, by what makes the lengths agree.
local function layout(frame, properties)
  local length = properties & (is_long(frame, properties) and LONG_LENGTH or LENGTH)
  local rest = #frame - 1 - 4 - length -- header behind the properties
  local versioned, parted = properties & VERSIONED ~= 0, properties & SUBPACKET ~= 0
  if versioned and rest == ID + 2 then versioned = false end
  local id = versioned and VERSIONED_ID or ID
  if not versioned and rest == OTHER_ID + 2 + (parted and 4 or 0) then id = OTHER_ID end
  if parted and rest == (versioned and 1 or 0) + id + 2 then parted = false end
  return versioned, id, parted
end

--- Reads a message without its marks, its checksum last. Returns its header: `id` of the message, `terminal` (bytes),
-- `version` (from 2019 on), `serial`, `total` and `part` of a message in parts, `body`, `answer_wanted` (compact
-- ones), `encrypted`. Or nil and an error.
function packet.read(frame)
  if #frame < 13 then return nil, "too short" end
  local message_id, properties = string.unpack(">I2I2", frame)
  local compact = COMPACT[message_id]
  local header = { id = message_id, compact = compact }
  local versioned, id_size, parted = false, ID, false
  if not compact then versioned, id_size, parted = layout(frame, properties) end
  local size = 4 + (versioned and 1 or 0) + id_size + (compact and 1 or 2) + (parted and 4 or 0)
  if #frame < size + 1 then return nil, "too short" end
  local at = 5
  if versioned then header.version, at = string.unpack("B", frame, at) end
  header.terminal = frame:sub(at, at + id_size - 1)
  at = at + id_size
  header.serial, at = string.unpack(compact and "B" or ">I2", frame, at)
  if parted then header.total, header.part, at = string.unpack(">I2I2", frame, at) end
  header.body = frame:sub(at, -2)
  if compact then header.answer_wanted = properties & ANSWER_WANTED ~= 0
  else header.encrypted = properties & RSA ~= 0 and not is_long(frame, properties) end
  return header
end

--- The messages of a datagram, where marks and escapes still are: a list of those whose checksum is right.
function packet.split(datagram)
  local row = datagram:byte(1) == OTHER.mark:byte() and OTHER or STANDARD
  local list = {}
  for content in datagram:gmatch("[^" .. row.mark .. "]+") do
    local frame = content:gsub(row.sequence, row.unescapes)
    if #frame > 1 and mix.checksum.xor(frame, 1, -2) == frame:byte(-1) then list[#list + 1] = frame end
  end
  return list
end

--- A message to a terminal, with marks and escapes. `version` nil for the header before 2019; `compact`: the header
-- that goes with the compact reports.
function packet.build(message_id, terminal, version, serial, body, compact)
  local properties = #body | (version and VERSIONED or 0)
  local content = string.pack(">I2I2", message_id, properties) .. (version and string.char(version) or "") ..
    terminal .. string.pack(compact and "B" or ">I2", serial) .. body
  local row = #terminal == OTHER_ID and OTHER or STANDARD
  local checked = content .. string.char(mix.checksum.xor(content))
  return row.mark .. checked:gsub(row.pattern, row.escapes) .. row.mark
end

packet.MAX_BODY = LENGTH

return packet
