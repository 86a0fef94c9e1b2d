-- Run by: moonwire test lua/utils/router_test.lua

local new = require("utils.router").new

--- A connection that keeps what is sent.
local function connection()
  local conn = { sent = {} }
  function conn:send(message) self.sent[#self.sent + 1] = message end
  return conn
end

test("a reply has the action and the sequence of its request", function()
  local router, conn = new {}, connection()
  router:on(100, function(params) return { hello = params.name } end)
  equal(router:handle({ action = 100, sequence = 7, body = '{"name":"Ada"}' }, conn), true)
  equal(conn.sent, { { action = 100, sequence = 7, body = '{"hello":"Ada"}' } })
end)

test("a function that returns nothing sends nothing", function()
  local router, conn, seen = new {}, connection(), 0
  router:on(1, function(params) seen = params == nil and seen + 1 end)
  equal(router:handle({ action = 1, sequence = 0, body = "" }, conn), true)
  equal({ seen, #conn.sent }, { 1, 0 })
end)

test("what cannot be handled is an error, and sends nothing", function()
  local router, conn = new {}, connection()
  router:on(1, function() return nil, "not today" end)
  local function err_of(action, body)
    local _, err = router:handle({ action = action, sequence = 0, body = body }, conn)
    return err
  end
  match(err_of(2, ""), "no route for action 2")
  equal(err_of(1, "{}"), "not today")
  equal(type(err_of(1, "{")), "string")
  equal(#conn.sent, 0)
end)
