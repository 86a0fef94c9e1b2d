-- The payload of a request is the payload of its answer.
function on_request(request)
  return request.payload
end
