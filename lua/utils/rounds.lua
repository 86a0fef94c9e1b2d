-- Devices that are asked again and again: a round when a connection opens, and each `seconds` from then on.

local rounds = {}

--- The handlers `on_connect`, `on_close`, `on_unload` and `on_reload` of an entry. `round(conn)` asks all there is to ask
--- and may wait; while it does, no second one begins. New code goes on with the rounds of the code before it.
function rounds.handlers(seconds, round)
  -- Each open connection, and its timer.
  local lines = {}

  local function start(client_id, conn)
    local busy = false
    local function turn()
      if busy then return end
      busy = true
      round(conn)
      busy = false
    end
    lines[client_id] = { conn = conn, timer = mix.every(seconds, turn) }
    return turn
  end

  local function on_connect(client_id, conn)
    start(client_id, conn)()
  end

  local function on_close(client_id)
    local line = lines[client_id]
    lines[client_id] = nil
    if line then line.timer:cancel() end
  end

  local function on_unload()
    local conns = {}
    for client_id, line in pairs(lines) do
      line.timer:cancel()
      conns[client_id] = line.conn
    end
    return conns
  end

  -- `conns`: nil after code that was not from here.
  local function on_reload(conns)
    for client_id, conn in pairs(conns or {}) do start(client_id, conn) end
  end

  return on_connect, on_close, on_unload, on_reload
end

--- Whether a request failed because the connection is over: then nothing more is to be asked.
function rounds.over(err) return err:find("^closed") ~= nil end

--- Logs that a device was not read. That its breaker is open is told with the failure that opened it.
function rounds.failed(name, err)
  mix.log(err:find("^overloaded") and mix.DEBUG or mix.WARN, name .. ": " .. err)
end

--- Hands readings of a device over, and logs where that fails.
function rounds.report(device, values, options)
  local ok, err = mix.report(device, values, options)
  if not ok then mix.log(mix.WARN, device .. ": not reported: " .. err) end
end

return rounds
