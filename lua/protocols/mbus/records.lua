-- Data records (EN 13757-3:2018, 6.3): DIF · DIFEs · VIF · VIFEs · data.

local data = require "protocols.mbus.data"
local dates = require "protocols.mbus.dates"
local header = require "protocols.mbus.header"
local vif = require "protocols.mbus.vif"
local vife = require "protocols.mbus.vife"

local byte = string.byte

local records = {}

local MAX_EXTENSIONS = 10
local MORE = 0x80
local PLAIN_TEXT, MANUFACTURER, EXTENSION = 0x7c, 0x7f, 0x7c
-- Special DIFs.
local MANUFACTURER_DATA, MORE_RECORDS, FILLER, GLOBAL_READOUT = 0x0f, 0x1f, 0x2f, 0x7f

local STATISTICS = { "maximum", "minimum", "error" }

local CLOCK = vif.primary[0x6d]
local UNKNOWN = { name = "unknown" }
local MANUFACTURER_ROW = { name = "manufacturer_specific" }
-- Most meters put the plain text right behind its VIF, some behind the VIFEs: where there is none in the first place.
local TEXT_BEHIND = {}

--- DIF and DIFEs at `at`: the coding of the data, and the record with storage, tariff, subunit and statistic as far as
-- they are not 0; and the position behind, or nil and an error.
local function read_dif(bytes, at)
  local dif = byte(bytes, at)
  local storage, tariff, subunit = dif >> 6 & 1, 0, 0
  local last, count = dif, 0
  at = at + 1
  while last & MORE ~= 0 do
    last = byte(bytes, at)
    if not last then return nil, "ends within its DIFEs" end
    if count == MAX_EXTENSIONS then return nil, "more than 10 DIFEs" end
    -- Storage numbers have up to 41 bits.
    storage = storage + (last & 15) * 2 ^ (4 * count + 1)
    tariff = tariff + (last >> 4 & 3) * 2 ^ (2 * count)
    subunit = subunit + (last >> 6 & 1) * 2 ^ count
    count, at = count + 1, at + 1
  end
  local record = {
    statistic = STATISTICS[dif >> 4 & 3],
    storage = storage > 0 and storage or nil,
    tariff = tariff > 0 and tariff or nil,
    subunit = subunit > 0 and subunit or nil,
  }
  return dif & 15, record, at
end

--- A unit or name in plain text at `at` (6.4.6), last character first; and the position behind.
local function read_plain(bytes, at)
  local length = byte(bytes, at)
  if not length or at + length > #bytes then return nil, "ends within the text of its VIF" end
  return bytes:sub(at + 1, at + length):reverse(), at + length + 1
end

--- The row of the VIF at `at` and the position behind it and what belongs to it; nil for a VIF that does not say it
-- alone or that is not known, and nil, nil and an error.
local function read_code(bytes, at)
  local code = byte(bytes, at)
  if not code then return nil, nil, "ends before its VIF" end
  local kind = code & 0x7f
  if kind == PLAIN_TEXT then
    local text, after = read_plain(bytes, at + 1)
    if code & MORE ~= 0 and not (text and not text:find("%c")) then return TEXT_BEHIND, at + 1 end
    if not text then return nil, nil, after end
    return { name = text }, after
  end
  if kind == MANUFACTURER then return MANUFACTURER_ROW, at + 1 end
  return vif.primary[kind], at + 1
end

--- VIF and VIFEs at `at`: the row of what the value is, a list of rows that say more, and the position behind, or nil
-- and an error. What only the manufacturer knows is kept in hexadecimal digits in `record`.
local function read_vif(bytes, at, record)
  local row, after, err = read_code(bytes, at)
  if not after then return nil, err end
  local last, details, count = byte(bytes, at), {}, 0
  -- Where rows of the next VIFE are found, and where those begin that are the manufacturer's.
  local rows = not row and vif[last & 0x7f] or vife.rows
  local own = row == MANUFACTURER_ROW and after or nil
  while last & MORE ~= 0 do
    last = byte(bytes, after)
    if not last then return nil, "ends within its VIFEs" end
    if count == MAX_EXTENSIONS then return nil, "more than 10 VIFEs" end
    local code = last & 0x7f
    count, after = count + 1, after + 1
    if not own then
      if rows ~= vife.rows and rows ~= vife.extension then
        row, rows = rows[code], vife.rows
      elseif code == MANUFACTURER then
        own = after
      elseif code == EXTENSION and rows == vife.rows then
        rows = vife.extension
      else
        details[#details + 1] = rows[code] or code > 0 and { label = string.format("vife_%02x", code) } or nil
        rows = vife.rows
      end
    end
  end
  if row == TEXT_BEHIND then
    local text, behind = read_plain(bytes, after)
    if not text then return nil, behind end
    row, after = { name = text }, behind
  end
  if own and own < after then record.vife = mix.hex(bytes:sub(own, after - 1)) end
  if not row or row == MANUFACTURER_ROW then record.vif = mix.hex(bytes:sub(at, after - 1)) end
  return row or UNKNOWN, details, after
end

--- A number in the base unit. Dividing by powers of ten keeps 3364 / 100 the number nearest to 33.64.
local function scale(value, factor, exponent)
  value = value * factor
  return exponent < 0 and value / 10 ^ (0 - exponent) or value * 10 ^ exponent
end

--- Puts the value into a record, as `row` and `details` say. Returns Unix seconds when it is the meter's clock.
local function evaluate(record, content, read, row, details)
  local kind, unit, factor = row.kind, row.unit, row.factor or 1
  local exponent, offset, qualifiers = row.exponent or 0, 0, {}
  for _, detail in ipairs(details) do
    if detail.label then qualifiers[#qualifiers + 1] = detail.label end
    record.problem = detail.problem or record.problem
    kind = detail.kind or kind
    offset = offset + (detail.offset or 0)
    if detail.factor or detail.count then
      unit, factor, exponent = detail.factor and "s", detail.factor or 1, 0
    end
    exponent = exponent + (detail.exponent or 0)
  end
  record.name = row.name
  record.qualifiers = #qualifiers > 0 and qualifiers or nil
  if record.problem then return end
  if kind == "date" then
    local time
    record.value, time = dates.read(content)
    return row == CLOCK and time or nil
  end
  if kind == "identification" and #content == header.ADDRESS_SIZE then
    header.read_address(content, 1, record)
    record.value = record.device_id
    return
  end
  local value = read(content, kind == "unsigned")
  if type(value) == "number" then value = scale(value + offset, factor, exponent) end
  record.value, record.unit = value, unit
end

--- Reads the records from `at` to the end into `message`: its `values`; `time`, where the meter tells its clock (as if
-- that showed UTC); `manufacturer_data` in hexadecimal digits; `more_records` when another telegram follows. Returns
-- the message, or nil and an error.
function records.read(bytes, at, message)
  local values = {}
  message.values = values
  while at <= #bytes do
    local dif = byte(bytes, at)
    if dif == MANUFACTURER_DATA or dif == MORE_RECORDS then
      message.more_records = dif == MORE_RECORDS or nil
      if at < #bytes then message.manufacturer_data = mix.hex(bytes:sub(at + 1)) end
      return message
    elseif dif == FILLER or dif == GLOBAL_READOUT then
      at = at + 1
    elseif dif & 15 == 15 then
      return nil, string.format("record %d: reserved DIF 0x%02x", #values + 1, dif)
    else
      local err, row, details, content, read
      local code, record, after = read_dif(bytes, at)
      if not code then return nil, string.format("record %d %s", #values + 1, record) end
      row, details, after = read_vif(bytes, after, record)
      if not row then return nil, string.format("record %d %s", #values + 1, details) end
      content, read, after = data.take(bytes, after, code)
      if not content then return nil, string.format("record %d %s", #values + 1, read) end
      local time = evaluate(record, content, read, row, details)
      local current = not (record.storage or record.statistic or record.qualifiers or record.tariff or record.subunit)
      if time and current then message.time = message.time or time end
      values[#values + 1] = record
      at = after
    end
  end
  return message
end

return records
