-- Each message of a WebSocket is answered by itself.
function on_message(message, conn)
  conn:send(message.data, message.type)
end
