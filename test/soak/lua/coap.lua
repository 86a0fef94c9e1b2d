local numbers = require "numbers"

function on_request(req, conn)
  local answer = numbers.answer(req.payload or "", conn)
  if not answer then return nil, "invalid_argument: no number" end
  if not answer:find "^ok" then return nil, "overloaded: " .. answer end
  return answer
end
