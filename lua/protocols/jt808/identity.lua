-- Who is there: registration, authentication, attributes of the terminal, and the driver's card.

local fields = require "protocols.jt808.fields"

local identity = {}

--- The sizes of manufacturer, model and terminal id in the editions of 2011, 2013 and 2019.
local EDITION_2011, EDITION_2013, EDITION_2019 = { 5, 8, 7 }, { 5, 20, 7 }, { 11, 30, 30 }
local COLORS = 10 -- of number plates

local function edition_of(body, header)
  if header.version then return EDITION_2019 end
  -- The older two differ by 12 bytes of the model: the color behind the terminal's id tells.
  local color = body:byte(4 + 5 + 20 + 7 + 1)
  return color and color <= COLORS and EDITION_2013 or EDITION_2011
end

--- Reads texts of given sizes; returns them and the position behind.
local function read_texts(body, at, sizes)
  local texts = {}
  for i, size in ipairs(sizes) do
    texts[i] = fields.text(body:sub(at, at + size - 1))
    at = at + size
  end
  return texts[1], texts[2], texts[3], at
end

function identity.registration(body, session, header)
  local message = { type = "registration" }
  if #body < 4 then return message end
  message.province, message.city = string.unpack(">I2I2", body)
  local at
  message.manufacturer, message.model, message.terminal_id, at = read_texts(body, 5, edition_of(body, header))
  session.model = message.model
  message.plate_color, message.plate = body:byte(at), fields.text(body:sub(at + 1))
  return message
end

--- The code that the registration was answered with; from 2019 on behind its length, with IMEI and firmware.
function identity.authentication(body, _, header)
  local message = { type = "authentication" }
  local size = body:byte(1)
  if header.version and size and #body >= 1 + size + 15 then
    message.code, message.imei = fields.text(body:sub(2, 1 + size)), fields.text(body:sub(2 + size, 16 + size))
    message.firmware = fields.text(body:sub(17 + size))
  else
    message.code = fields.text(body)
  end
  return message
end

--- Kind, manufacturer, model, id, SIM card, versions of hardware and firmware behind their lengths.
function identity.attributes(body, session, header)
  local message = { type = "attributes" }
  if #body < 2 then return message end
  message.terminal_type = string.unpack(">I2", body)
  local at
  message.manufacturer, message.model, message.terminal_id, at =
    read_texts(body, 3, header.version and EDITION_2019 or EDITION_2013)
  session.model = message.model
  if #body < at + 9 then return message end
  message.iccid = fields.iccid(body:sub(at, at + 9))
  at = at + 10
  for _, name in ipairs { "hardware", "firmware" } do
    local size = body:byte(at)
    if not size then break end
    message[name] = fields.text(body:sub(at + 1, at + size))
    at = at + 1 + size
  end
  return message
end

--- A driver's card went in or came out: when, whether it was read, and what is on it.
function identity.driver(body)
  if #body < 7 then return nil, "no card" end
  local message = { type = "driver", card_status = body:byte(1), time = fields.time(body, 2) }
  message.card_result = body:byte(8)
  local at = 9
  local size = body:byte(at)
  if not size then return message end
  message.driver = fields.text(body:sub(at + 1, at + size))
  at = at + 1 + size
  message.card = fields.text(body:sub(at, at + 19))
  message.driver_id = message.card
  at = at + 20
  size = body:byte(at)
  if not size then return message end
  message.card_agency = fields.text(body:sub(at + 1, at + size))
  message.card_validity = mix.bcd(body:sub(at + 1 + size, at + 4 + size))
  return message
end

return identity
