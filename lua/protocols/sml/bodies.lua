-- The messages of SML (SML 1.04, 5.1) by their tags. Each reader takes the body's fields in order and returns a
-- message, or a list of messages; `transfer` is what the file said about itself when it opened.

local fields = require "protocols.sml.fields"

local bodies = {}

local OPEN_RESPONSE, CLOSE_RESPONSE = 0x0101, 0x0201

--- SML_PublicOpen.Res: code page, client, file id, server, reference time, version.
bodies[OPEN_RESPONSE] = function(body, transfer)
  transfer.device_id = fields.hex(body[4])
  transfer.time = fields.time(body[5])
end

bodies[CLOSE_RESPONSE] = function() end

--- SML_GetList.Res: client, server, list name, sensor time, values, signature, gateway time.
bodies[0x0701] = function(body)
  local time, seconds = fields.time(body[4])
  return {
    type = "list",
    device_id = fields.hex(body[2]),
    list_name = fields.hex(body[3]),
    time = time or fields.time(body[7]),
    seconds_index = seconds,
    values = fields.entries(body[5]),
  }
end

--- SML_GetProfileList.Res: server, time, period, path, time of the values, status, values, …
bodies[0x0401] = function(body)
  local values, entries = {}, fields.list(body[7])
  for i = 1, entries.n do values[i] = fields.period_entry(fields.list(entries[i])) end
  local time, seconds = fields.time(body[5])
  return {
    type = "profile",
    device_id = fields.hex(body[1]),
    time = time or fields.time(body[2]),
    seconds_index = seconds,
    period = body[3],
    path = fields.path(body[4]),
    status = body[6],
    values = values,
  }
end

--- SML_GetProfilePack.Res: server, time, period, path, header (code, unit, scaler), rows (time, status, values), …
bodies[0x0301] = function(body)
  local header, rows, messages = fields.list(body[5]), fields.list(body[6]), {}
  for i = 1, rows.n do
    local row = fields.list(rows[i])
    local cells, values = fields.list(row[3]), {}
    for column = 1, cells.n do
      local head, cell = fields.list(header[column]), fields.list(cells[column])
      values[column] = fields.reading(head[1], cell[1], head[2], head[3])
    end
    local time, seconds = fields.time(row[1])
    messages[i] = {
      type = "profile",
      device_id = fields.hex(body[1]),
      time = time,
      seconds_index = seconds,
      period = body[3],
      path = fields.path(body[4]),
      status = row[2],
      values = values,
    }
  end
  return messages
end

--- SML_GetProcParameter.Res: server, path, tree.
bodies[0x0501] = function(body)
  return {
    type = "parameters",
    device_id = fields.hex(body[1]),
    path = fields.path(body[2]),
    values = fields.tree(body[3]),
  }
end

--- SML_Attention.Res: server, number, text, details.
bodies[0xff01] = function(body)
  local text = body[3]
  return {
    type = "attention",
    device_id = fields.hex(body[1]),
    attention = fields.hex(body[2]),
    text = type(text) == "string" and text or nil,
    values = fields.tree(body[4]),
  }
end

return bodies
