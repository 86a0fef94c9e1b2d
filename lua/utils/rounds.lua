-- Devices that are asked again and again: a round when a connection opens, and each `seconds` from then on.

local rounds = {}

--- The handlers `on_connect` and `on_close` of an entry. `round(conn)` asks all there is to ask and may wait; while it
-- does, no second one begins.
function rounds.handlers(seconds, round)
  -- The timer of each open connection.
  local timers = {}

  local function on_connect(client_id, conn)
    local busy = false
    local function turn()
      if busy then return end
      busy = true
      round(conn)
      busy = false
    end
    timers[client_id] = mix.every(seconds, turn)
    turn()
  end

  local function on_close(client_id)
    timers[client_id]:cancel()
    timers[client_id] = nil
  end

  return on_connect, on_close
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
