-- Messages that come in parts (JT/T 808-2019, 4.4.3): put together by their numbers, in any order.

local parts = {}

local MAX_BYTES = 1024 * 1024
local MAX_OPEN = 8 -- messages that one peer may have under way

--- Takes a part. Returns the body when all are here, nil while some are missing, or nil and an error.
function parts.take(header, session)
  local total, part = header.total, header.part
  if part < 1 or part > total then return nil, string.format("no part %d of %d", part, total) end
  if not session.parts or session.parts.open >= MAX_OPEN then session.parts = { open = 0 } end
  local open = session.parts
  local key = header.device_id .. "/" .. header.id
  local first = (header.serial - part + 1) % 0x10000
  local entry = open[key]
  if not entry then open.open = open.open + 1 end
  if not entry or entry.first ~= first or entry.total ~= total then
    entry = { first = first, total = total, held = 0, bytes = 0, bodies = {} }
    open[key] = entry
  end
  if not entry.bodies[part] then
    entry.bodies[part] = header.body
    entry.held = entry.held + 1
    entry.bytes = entry.bytes + #header.body
  end
  if entry.held < total and entry.bytes <= MAX_BYTES then return nil end
  open[key], open.open = nil, open.open - 1
  if entry.bytes > MAX_BYTES then return nil, "a message of more than 1 MiB" end
  return table.concat(entry.bodies)
end

return parts
