-- An exchange's stream over WebSocket: prices for all, and what concerns their orders for those who showed a key.
--
--   engine:
--     servers:
--       - name: exchange
--         port: 6793
--         protocol: websocket
--         options: { path: /stream, secret: "${EXCHANGE_SECRET}" }
--         entry: lua/entry.exchange.lua
--
--   {"op":"subscribe","channels":["ticker.BTC-USD","trades.ETH-USD"]}    public: ticker.*, trades.*, book.*
--   {"op":"auth","account":"7","expires":1767225600,"sign":"…"}          then orders and balance are open, too:
--   {"op":"subscribe","channels":["orders"]}                             becomes the channel orders.7
--
-- sign: SHA-1 of account, expires (Unix seconds) and the secret, in hex, joined by colons; whoever runs the accounts
-- makes it. A program publishes prices to ticker.BTC-USD and orders to orders.7.

local PUBLIC = { ticker = true, trades = true, book = true }
local PRIVATE = { orders = true, balance = true }
local MAX_CHANNELS = 100

local function answer(conn, message) conn:send(mix.json_encode(message), "text") end

--- What a name that a client asked for is on the mesh; nil and why not.
local function channel_of(name, conn)
  if type(name) ~= "string" then return nil, "a channel is a string" end
  local kind, symbol = name:match "^(%l+)%.([%u%d-]+)$"
  if PUBLIC[kind] and #symbol <= 32 then return name end
  if not PRIVATE[name] then return nil, "no such channel: " .. name:sub(1, 64) end
  local account = conn:context_value "account"
  if not account then return nil, name .. " needs auth" end
  return name .. "." .. account
end

--- The channels of a request; nil and why not. All of them are good, or none is used.
local function channels_of(request, conn)
  local names = request.channels
  if type(names) ~= "table" or #names == 0 or #names > MAX_CHANNELS then return nil, "1 to 100 channels are needed" end
  local channels = {}
  for i, name in ipairs(names) do
    local channel, err = channel_of(name, conn)
    if not channel then return nil, err end
    channels[i] = channel
  end
  return channels
end

local ops = {}

function ops.auth(request, conn)
  local account, expires, sign = request.account, request.expires, request.sign
  if type(account) ~= "string" or not account:find "^%w+$" or type(expires) ~= "number" then
    return "account and expires are needed"
  end
  if expires < mix.now() then return "expired" end
  local text = table.concat({ account, string.format("%d", expires), mix.server.option "secret" }, ":")
  if sign ~= mix.sha1(text) then return "wrong sign" end
  conn:set_context_value("account", account)
end

function ops.subscribe(request, conn)
  local channels, err = channels_of(request, conn)
  return err or conn:subscribe(table.unpack(channels))
end

function ops.unsubscribe(request, conn)
  local channels, err = channels_of(request, conn)
  return err or conn:unsubscribe(table.unpack(channels))
end

function ops.ping() end

function on_message(msg, conn)
  local request = mix.json_decode(msg.data)
  local op = type(request) == "table" and ops[request.op]
  if not op then return answer(conn, { event = "error", error = "no such op" }) end
  local err = op(request, conn)
  answer(conn, { event = err and "error" or request.op, error = err, id = request.id })
end
