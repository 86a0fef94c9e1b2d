-- Every client is subscribed to `all`, and told its id.
function on_connect(id, conn)
  conn:subscribe("all")
  conn:send("id " .. id .. "\n")
end
