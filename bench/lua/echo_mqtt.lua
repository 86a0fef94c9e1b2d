-- What a device publishes under `up` is answered under `down`, with its QoS.
function on_message(message, conn)
  if message.topic == "up" then
    conn:send({ topic = "down", payload = message.payload, qos = message.qos })
  end
end
