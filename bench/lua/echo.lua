-- Frames with a 16-bit length in front, answered by a frame of the same size.
protocol = {
  name = "echo",
  frame = mix.frame.length { at = 1, size = 2, add = 2 },
}

function on_message(message, conn)
  conn:send(message)
end
